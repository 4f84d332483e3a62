// Shows openapi.json in Swagger UI. After a successful Login, Register or RefreshToken the page sends the returned access token
// with every call. The token is kept only in this page's memory.

const SIGNING_IN = /\/api\/v1\/auth\/(login|register|refresh)$/;

function useToken(response) {
  if (response.ok && SIGNING_IN.test(response.url)) {
    ui.preauthorizeApiKey("bearer", JSON.parse(response.text).data.accessToken);
  }
  return response;
}

const ui = SwaggerUIBundle({
  url: "/api-docs/openapi.json",
  dom_id: "#api",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  filter: true,
  // No request goes to another host, and no token is stored.
  validatorUrl: null,
  persistAuthorization: false,
  responseInterceptor: useToken,
  // Opens the first group, in which Login is.
  onComplete: () => ui.layoutActions.show(["operations-tag", "Auth"], true),
});
