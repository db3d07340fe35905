package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
	"gopkg.in/yaml.v3"

	"weir/controlplane/api/problems"
)

//go:embed openapi.yaml
var documentYAML []byte

// documentJSON is openapi.yaml as JSON.
func documentJSON() ([]byte, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(documentYAML, &doc); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write openapi.json: %w", err)
	}
	return text, nil
}

func (a *API) openapi(c echo.Context) error { return c.JSONBlob(http.StatusOK, a.document) }

func (a *API) health(c echo.Context) error {
	if err := a.cfg.Store.Healthy(c.Request().Context()); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

// problems answers with the page of every problem's cause and remedy.
func (a *API) problems(c echo.Context) error {
	return c.Blob(http.StatusOK, "text/markdown; charset=utf-8", []byte(problems.Page()))
}
