// Command gen writes the client of the control plane's API from controlplane/api/openapi.yaml
// with oapi-codegen, which infra/tools pins. It runs in the root of the repository.
//
// Before that it takes out of the document what the command line does not call: pages for
// browsers, and the paths of one organization, which are the same operations again (the
// client puts the organization into the path). Schemas that Go has a type for already get
// that type.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
)

const (
	contract = "controlplane/api/openapi.yaml"
	room     = "infra/weir/cli/remote/openapi"
	written  = room + "/client.gen.go"
)

// browsers are paths that the command line never asks for.
var browsers = []string{"/api/openapi.json", "/api/problems", "/api/v1/login/oidc", "/api/v1/login/oidc/callback", "/api/v1/notices", "/api/v1/planes/join"}

const again = "/api/v1/orgs/{org}/"

// types are schemas and properties (SCHEMA.PROPERTY) for which there is a Go type, with the
// package that has it.
var types = map[string]struct{ name, from string }{
	"Document":              {"document.Document", "weir/shared/workspace/document"},
	"FieldProblem":          {"fault.Problem", "weir/shared/fault"},
	"Alarm":                 {"wire.Alarm", "weir/shared/wire"},
	"Plane.id":              {"id.Plane", "weir/shared/id"},
	"Workspace.id":          {"id.Workspace", "weir/shared/id"},
	"Workspace.plane":       {"id.Plane", "weir/shared/id"},
	"SourceSummary.id":      {"id.Source", "weir/shared/id"},
	"DestinationSummary.id": {"id.Destination", "weir/shared/id"},
	"AuditEntry.before":     {"json.RawMessage", ""},
	"AuditEntry.after":      {"json.RawMessage", ""},
	"ChangeRequest.before":  {"json.RawMessage", ""},
	"ChangeRequest.after":   {"json.RawMessage", ""},
	"Revision.before":       {"json.RawMessage", ""},
	"Revision.after":        {"json.RawMessage", ""},
}

// named are properties (SCHEMA.PROPERTY) whose schema, or that of their items, stands in the
// document without a name, with the name of its Go type.
var named = map[string]string{
	"Applied.waits":        "Waits",
	"Audit.entries":        "AuditEntry",
	"AuditReport.problems": "AuditProblem",
	"Roles.roles":          "GrantableRole",
}

// absent are optional properties of which no value is something else than the zero value.
var absent = []string{"NewPolicy.enabled", "NewPolicy.text", "NewIdentityProvider.clientSecret"}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	text, err := os.ReadFile(contract)
	if err != nil {
		return err
	}
	prepared, err := prepare(text)
	if err != nil {
		return fmt.Errorf("%s: %w", contract, err)
	}
	dir, err := os.MkdirTemp("", "weir-openapi-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	document := filepath.Join(dir, "openapi.yaml")
	if err := os.WriteFile(document, prepared, 0o600); err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "tool", "oapi-codegen", "-config", filepath.Join(root, room, "gen/oapi-codegen.yaml"), "-o", filepath.Join(root, written), document)
	cmd.Dir = "infra/tools"
	cmd.Env = append(cmd.Environ(), "GOWORK=off", "GOFLAGS=-trimpath")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("oapi-codegen: %w\n%s", err, said)
	}
	return nil
}

// object is a mapping of the document.
type object = map[string]any

func prepare(text []byte) ([]byte, error) {
	var doc object
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	paths, ok := doc["paths"].(object)
	if !ok {
		return nil, fmt.Errorf("the document has no paths")
	}
	for path := range paths {
		if rest, ok := strings.CutPrefix(path, again); ok {
			if err := scope(paths, "/api/v1/"+rest); err != nil {
				return nil, err
			}
			delete(paths, path)
		}
	}
	for _, path := range browsers {
		if paths[path] == nil {
			return nil, fmt.Errorf("there is no path %s", path)
		}
		delete(paths, path)
	}
	components, _ := doc["components"].(object)
	schemas, _ := components["schemas"].(object)
	for at, name := range named {
		schema, property, _ := strings.Cut(at, ".")
		holder, _ := schemas[schema].(object)
		properties, _ := holder["properties"].(object)
		node, ok := properties[property].(object)
		if items, list := node["items"].(object); list {
			node["items"], node = object{"$ref": "#/components/schemas/" + name}, items
		} else {
			properties[property] = object{"$ref": "#/components/schemas/" + name}
		}
		if _, taken := schemas[name]; !ok || taken {
			return nil, fmt.Errorf("there is no schema %s, or a %s already", at, name)
		}
		schemas[name] = node
	}
	for name, with := range types {
		schema, property, inner := strings.Cut(name, ".")
		at, ok := schemas[schema].(object)
		if inner && ok {
			properties, _ := at["properties"].(object)
			at, ok = properties[property].(object)
		}
		if !ok {
			return nil, fmt.Errorf("there is no schema %s", name)
		}
		clear(at)
		at["type"] = "string" // of no consequence beside the Go type
		at["x-go-type"] = with.name
		if with.from != "" { // what it always imports
			at["x-go-type-import"] = object{"path": with.from}
		}
	}
	walk(schemas)
	for _, at := range absent {
		schema, property, _ := strings.Cut(at, ".")
		holder, _ := schemas[schema].(object)
		properties, _ := holder["properties"].(object)
		node, ok := properties[property].(object)
		if !ok {
			return nil, fmt.Errorf("there is no schema %s", at)
		}
		node["x-go-type-skip-optional-pointer"] = false
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	if err := enc.Encode(doc); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// scope marks the operations of a path as being about an organization.
func scope(paths object, path string) error {
	operations, ok := paths[path].(object)
	if !ok {
		return fmt.Errorf("there is no path %s for the caller's own organization", path)
	}
	for _, o := range operations {
		if o, ok := o.(object); ok {
			o["x-scoped"] = true
		}
	}
	return nil
}

// walk says of schemas what the generator does not read off by itself: bytes, and times
// that may be absent, of which the zero time is none.
func walk(node any) {
	switch node := node.(type) {
	case []any:
		for _, each := range node {
			walk(each)
		}
	case object:
		if node["contentEncoding"] == "base64" {
			node["format"] = "byte"
		}
		if node["format"] == "date-time" {
			node["x-go-type-skip-optional-pointer"] = false
		}
		for _, each := range node {
			walk(each)
		}
	}
}
