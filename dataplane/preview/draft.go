package preview

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/layout"
	"weir/dataplane/transform"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/script"
	"weir/shared/secret"
)

// Draft tells what would be sent now for events, by settings that were not
// committed, of a destination or warehouse of the kind typ: a Line for each event, or the line
// of OpenWarehouse. A secret that the kind cannot do without is a word in its
// place. Errors: those of OpenDestination and OpenWarehouse.
func Draft(kinds []destination.Kind, layouts []*layout.Dialect, typ string, settings []byte, events []json.RawMessage) ([]any, error) {
	if _, ok := layout.Find(layouts, typ); ok {
		preview, err := OpenWarehouse(layouts, typ, settings, time.Now())
		if err != nil {
			return nil, err
		}
		return each(events, preview), nil
	}
	if i := slices.IndexFunc(kinds, func(k destination.Kind) bool { return k.Spec.Name == typ }); i >= 0 {
		return DraftOf(kinds[i], settings, events)
	}
	_, err := OpenDestination(kinds, typ, settings, nil, time.Now())
	return nil, err
}

// DraftOf is Draft of a kind of destination that is at hand.
func DraftOf(kind destination.Kind, settings []byte, events []json.RawMessage) ([]any, error) {
	secrets := map[string]secret.String{}
	for _, f := range kind.Spec.Secrets {
		if f.Required {
			secrets[f.Name] = secret.NewString("secret")
		}
	}
	preview, err := Open(kind, settings, secrets, time.Now())
	if err != nil {
		return nil, err
	}
	return each(events, preview), nil
}

func each[T any](events []json.RawMessage, preview func([]byte) T) []any {
	lines := make([]any, len(events))
	for i, e := range events {
		lines[i] = preview(e)
	}
	return lines
}

// DraftCode runs code that was not committed over events and returns an Outcome
// for each. The workers of engine run it, so that an editor cannot start any
// number of processes. fault.Invalid: the code has problems.
func DraftCode(ctx context.Context, compiler *script.Compiler, engine *transform.Pool, ws id.Workspace, code string, libraries []script.File, events []json.RawMessage) ([]any, error) {
	chain, err := compile(ctx, compiler, string(ws), []script.File{{Name: "draft", Code: code}}, libraries)
	if err != nil {
		return nil, err
	}
	texts := make([][]byte, len(events))
	for i, e := range events {
		texts[i] = e
	}
	outcomes, err := run(ctx, engine, chain, transform.Meta{Workspace: ws}, texts, time.Now())
	if err != nil {
		return nil, err
	}
	lines := make([]any, len(outcomes))
	for i, o := range outcomes {
		lines[i] = o
	}
	return lines, nil
}

// compile makes a chain of scripts. fault.Invalid: the code has problems, each
// with its line and column.
func compile(ctx context.Context, compiler *script.Compiler, tenant string, scripts, libraries []script.File) (*transform.Chain, error) {
	steps, problems, err := compiler.Compile(ctx, tenant, scripts, libraries)
	if err != nil {
		return nil, err
	}
	if text, ok := script.Fits(steps); !ok {
		problems = []fault.Problem{{Path: "scripts", Code: script.CodeTooLarge, Text: text}}
	}
	if err := fault.Problems("The code has problems:", problems); err != nil {
		return nil, err
	}
	return transform.NewChain(steps), nil
}
