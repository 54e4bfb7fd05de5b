window.onload = function () {
  window.ui = SwaggerUIBundle({
    url: "/api/v1.0/doc/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true, // such as #/Alerts/post_alerts, as the vendor's guide links them
    defaultModelsExpandDepth: -1,
    validatorUrl: null,
  });
};
