// A bare HTTP server that answers one indexed read: `node server.js express|fastify`. It prints its port; PG… variables name the database.
const pg = require("pg");

const [, , framework] = process.argv;
const pool = new pg.Pool({ max: 10 });
const TEXT = "SELECT id, email, full_name, phone, role, status, created_at FROM users WHERE id = $1";

async function read(id) {
  const { rows } = await pool.query({ name: "read", text: TEXT, values: [id] });
  return { success: true, message: "User found", data: { user: rows[0] } };
}

async function serveExpress() {
  const app = require("express")();
  app.get("/users/:id", async (request, response) => response.json(await read(request.params.id)));
  const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
}

async function serveFastify() {
  const app = require("fastify")();
  app.get("/users/:id", (request) => read(request.params.id));
  await app.listen({ port: 0, host: "127.0.0.1" });
  console.log(app.server.address().port);
}

if (framework === "express") serveExpress();
else serveFastify();
