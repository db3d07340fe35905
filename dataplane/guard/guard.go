// Package guard is what a plane's owner forbids, whatever the control plane
// signs. It is read once from a local file, guard.yaml; no revision changes it.
// Without the file everything is allowed.
package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
)

// Rules is the content of guard.yaml. An absent list allows everything, an
// empty one nothing.
type Rules struct {
	Destinations struct {
		Types *[]string `yaml:"types"` // kinds of destinations that may run
		Hosts *[]string `yaml:"hosts"` // hosts that may be called, as patterns: "*.example.com"
		// MachineRole are kinds of destinations that may sign in as the plane's machine. Absent,
		// unlike other lists, it allows none.
		MachineRole []Role `yaml:"machineRole"`
	} `yaml:"destinations"`
	View struct {
		Actions *[]capability.Action `yaml:"actions"` // what a capability may open
	} `yaml:"view"`
}

// Role is a kind of destinations that may sign in as the plane's machine: a name, or with the
// workspaces that may, {type: s3, workspaces: [ws_...]}; without them, all of the plane may.
type Role struct {
	Type       string          `yaml:"type"`
	Workspaces *[]id.Workspace `yaml:"workspaces"`
}

// UnmarshalYAML reads either form.
func (r *Role) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&r.Type)
	}
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		if key := n.Content[i].Value; key != "type" && key != "workspaces" {
			return fmt.Errorf("line %d: field %s not found in destinations.machineRole: type, workspaces", n.Content[i].Line, key)
		}
	}
	type plain Role
	if err := n.Decode((*plain)(r)); err != nil {
		return err
	}
	if r.Type == "" {
		return fmt.Errorf("line %d: destinations.machineRole needs the type of a destination", n.Line)
	}
	for _, ws := range deref(r.Workspaces) {
		if !id.Valid(ws) || !strings.HasPrefix(string(ws), "ws_") {
			return fmt.Errorf("line %d: destinations.machineRole: %q is no identifier of a workspace, such as ws_...; weir export shows it", n.Line, ws)
		}
	}
	return nil
}

// machine reports whether destinations of a kind may have the machine's role in a workspace.
func (g *Guard) machine(ws id.Workspace, kind string) bool {
	return slices.ContainsFunc(g.rules.Destinations.MachineRole, func(r Role) bool {
		return r.Type == kind && allows(r.Workspaces, ws)
	})
}

// Guard decides by Rules. It is immutable and safe for concurrent use.
type Guard struct{ rules Rules }

// CodeType is the code of Review's problem with a destination's type.
const CodeType = "guard_destination_type"

// CodeMachineRole is the code of Review's problem with a destination that asks for the
// machine's role.
const CodeMachineRole = "guard_machine_role"

// Load reads the rules at file; a file that does not exist allows everything.
// fault.Invalid: it cannot be understood, and then nothing may run.
func Load(file string) (*Guard, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return &Guard{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	var g Guard
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&g.rules); err != nil && !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "%s: %v", file, err)
	}
	for _, p := range deref(g.rules.Destinations.Hosts) {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fault.New(fault.Invalid, "%s: destinations.hosts: %q is not a pattern", file, p)
		}
	}
	return &g, nil
}

func deref[T any](list *[]T) []T {
	if list == nil {
		return nil
	}
	return *list
}

func allows[T comparable](list *[]T, v T) bool { return list == nil || slices.Contains(*list, v) }

// Review returns what of a configuration may not run here, with paths into it.
func (g *Guard) Review(c workspace.Config) []fault.Problem {
	var ps []fault.Problem
	for i, d := range c.Destinations {
		if !allows(g.rules.Destinations.Types, d.Type) {
			ps = append(ps, fault.Problem{
				Path: fmt.Sprintf("destinations[%d].type", i), Code: CodeType,
				Text: fmt.Sprintf("The guard of this data plane does not allow destinations of type %s.", d.Type),
			})
		}
		var s struct {
			MachineRole any `json:"machineRole"`
		}
		_ = json.Unmarshal(d.Settings, &s) // what is no object opens no destination
		if s.MachineRole != nil && s.MachineRole != false && !g.machine(c.Workspace, d.Type) {
			ps = append(ps, fault.Problem{
				Path: fmt.Sprintf("destinations[%d].settings.machineRole", i), Code: CodeMachineRole,
				Text: fmt.Sprintf("The guard of this data plane does not allow destinations of type %s to sign in as its machine; its owner allows it by adding the line \"- %s\" below destinations, machineRole in guard.yaml, or \"- {type: %s, workspaces: [%s]}\", and starting the plane anew.", d.Type, d.Type, d.Type, c.Workspace),
			})
		}
	}
	return ps
}

// Host reports whether host, a name or address without port, may be called.
// fault.Denied: it may not.
func (g *Guard) Host(host string) error {
	hosts := g.rules.Destinations.Hosts
	if hosts == nil {
		return nil
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, p := range *hosts {
		if ok, _ := path.Match(strings.ToLower(p), host); ok {
			return nil
		}
	}
	return fault.New(fault.Denied, "the guard of this data plane does not allow calls to this host")
}

// Unknown lists the actions that the rules name and that this version does not know: of
// another version, or misspelt.
func (g *Guard) Unknown() []capability.Action {
	known := capability.Actions()
	return slices.DeleteFunc(slices.Clone(deref(g.rules.View.Actions)), func(a capability.Action) bool { return slices.Contains(known, a) })
}

// Action reports whether a capability may open a view.
func (g *Guard) Action(a capability.Action) error {
	if allows(g.rules.View.Actions, a) {
		return nil
	}
	return fault.New(fault.Denied, "the guard of this data plane does not allow %s; its owner allows it by adding the line \"- '%s'\" below view, actions in guard.yaml, and starting the plane anew", a, a)
}
