// Package routes shows what a real proxy makes of the routes that Weir's routers render: without the operator,
// by requests alone. What docs/routers.md calls real is seen here or in the stories.
package routes
