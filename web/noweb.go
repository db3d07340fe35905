//go:build noweb

// Package web holds the built console; under this tag it is empty.
package web

import "embed"

// Dist is empty.
var Dist embed.FS
