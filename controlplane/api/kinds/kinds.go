// Package kinds answers which kinds of sources, destinations and warehouses there are,
// and reads the spec that a workspace declares of its own. Nothing is kept.
package kinds

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/shared/catalog"
	"weir/shared/catalog/private"
	"weir/shared/fault"
)

// Handlers answers about kinds. Catalog is required.
type Handlers struct {
	Catalog []catalog.Spec
}

// List answers with the catalogue.
func (h Handlers) List(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]any{"kinds": h.Catalog})
}

// Read answers with the kind that the spec of a custom destination or source declares, in
// the form of the catalogue's, so that callers can ask for its settings and seal its
// secrets.
//
// fault.Invalid: the spec has problems; their paths are places in the spec.
func (h Handlers) Read(c echo.Context) error {
	var in struct {
		Family catalog.Family `json:"family"`
		Spec   string         `json:"spec"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	parse := private.Parse
	switch in.Family {
	case catalog.Destinations:
	case catalog.Sources:
		parse = private.ParseSource
	default:
		return fault.Problems("the kind cannot be read", []fault.Problem{{Path: "family", Code: "not_in_enum", Text: "The family is destination or source."}})
	}
	spec, err := parse(in.Spec)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, spec)
}
