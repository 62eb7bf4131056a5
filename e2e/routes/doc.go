// Package routes shows what a real proxy makes of the routes that Weir's routers render: without the operator,
// by requests alone, or, where the proxy is not to be had, by what its control plane tells it. What docs/routers.md
// calls real is seen here or in the stories.
package routes
