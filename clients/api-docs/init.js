// Shows openapi.json in Swagger UI. Whoever signs in by trying Login, Register or RefreshToken calls with that token from then on;
// it stays in this page's memory.

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
  // Nothing is sent to another host, and no token is kept.
  validatorUrl: null,
  persistAuthorization: false,
  responseInterceptor: useToken,
});
