//go:build !noweb

// Package web holds the built console.
package web

import "embed"

// Dist is the built console under dist/. Without index.html it was not built.
//
//go:embed all:dist
var Dist embed.FS
