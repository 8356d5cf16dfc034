// Show the service's OpenAPI document with Swagger UI, which calls the service from this page.
/** @type {any} */ (globalThis).SwaggerUIBundle({
  url: new URL("../openapi.json", document.baseURI).href,
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "list",
  persistAuthorization: true,
  tagsSorter: "alpha",
});
