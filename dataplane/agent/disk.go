package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"weir/shared/durable"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
)

// keptFormat is the version of the files.
const keptFormat = 1

// kept is what the disk knows of one workspace: a file of its own, replaced
// whole. Secrets are sealed as they came.
type kept struct {
	Format  int          `json:"format"`
	Seen    wire.Pointer `json:"seen"` // the newest that was decided on
	Ack     wire.Ack     `json:"ack"`  // what was decided
	Running wire.Pointer `json:"running"`
	Body    []byte       `json:"body,omitempty"` // of Running
	Secrets []envelope   `json:"secrets,omitempty"`
	// Unbound is never forgotten, not even when the workspace is removed: the
	// envelopes go on opening.
	Unbound []remembered `json:"unbound,omitempty"`
	// Removed is what sources and destinations were called that are no more, by id.
	Removed map[string]string `json:"removed,omitempty"`
}

type envelope struct {
	Name   secret.Name   `json:"name"`
	Sealed secret.Sealed `json:"sealed"`
}

// UnmarshalJSON also reads the names of releases before families: the secrets
// of destinations alone.
func (e *envelope) UnmarshalJSON(data []byte) error {
	type plain envelope
	var former struct {
		Name struct{ Destination id.Destination }
	}
	if err := errors.Join(json.Unmarshal(data, (*plain)(e)), json.Unmarshal(data, &former)); err != nil {
		return err
	}
	if e.Name.Family == "" {
		e.Name = secret.OfDestination(e.Name.Workspace, former.Name.Destination, e.Name.Field, e.Name.Version)
	}
	return nil
}

// find returns a sealed secret that is kept already, nil when there is none.
func (k kept) find(n secret.Name) secret.Sealed {
	for _, e := range k.Secrets {
		if e.Name == n {
			return e.Sealed
		}
	}
	return nil
}

const fileEnd = ".json"

// save replaces the file of a workspace; after it returned nil, the new content
// is there whatever happens to the machine.
func save(dir string, ws id.Workspace, k kept) error {
	k.Format = keptFormat
	content, err := json.Marshal(k)
	if err != nil {
		return fault.New(fault.Internal, "The state of a workspace cannot be written: %v.", err)
	}
	name := filepath.Join(dir, string(ws)+fileEnd)
	if err := durable.WriteFile(name, content, 0o600); err != nil {
		return fmt.Errorf("keep workspace %s: %w", ws, err)
	}
	return nil
}

// read returns every workspace in dir, and the names of files that cannot be
// read, which are left as they are.
func read(dir string) (all map[id.Workspace]kept, damaged []string, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("read kept workspaces: %w", err)
	}
	all = map[id.Workspace]kept{}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), fileEnd)
		if !ok {
			continue
		}
		ws := id.Workspace(name)
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, nil, fmt.Errorf("read kept workspace %s: %w", ws, err)
		}
		var k kept
		if json.Unmarshal(content, &k) != nil || k.Format != keptFormat || !id.Valid(ws) || k.Seen.Workspace != ws || k.Seen.Number < k.Running.Number {
			damaged = append(damaged, f.Name())
			continue
		}
		all[ws] = k
	}
	return all, damaged, nil
}
