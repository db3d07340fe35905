// Package preview is the command `weir preview`, which shows what would be sent or
// loaded for events, and the tests that stand beside transformations. It runs the
// code of the data plane on this machine and asks no server.
package preview

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/dataplane"
	"weir/dataplane/preview"
	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/manifest"
	"weir/shared/catalog/private"
	"weir/shared/command"
	"weir/shared/fault"
	"weir/shared/secret"
)

// maxLine is the longest event that is read, in bytes.
const maxLine = 8 << 20

// invocation is one execution of a command.
type invocation struct{ *console.Console }

// settings are a file of settings, and the time that stands for now.
type settings struct {
	settings json.RawMessage
	secrets  map[string]secret.String
	now      time.Time
}

// New returns the command `weir preview`.
func New(shell *console.Console) *cobra.Command {
	return console.Group("preview", "Show what would be sent, without sending it", newDestination(shell), newTransform(shell), newWarehouse(shell))
}

func newDestination(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var file, now, spec string
	cmd := &cobra.Command{
		Use:   "destination TYPE",
		Short: "Print the requests that a destination would be sent",
		Long: `Reads events from stdin, one JSON object a line, and prints for each a line with
the requests that would be sent:

  {"messageId","requests":[{"method","url","headers","body"}],"dropped","error"}

Nothing is sent, and no server is asked. Of what speaks another protocol than HTTP
the requests have its words: PRODUCE kafka://topic, RPUSH redis://address/database,
PUBLISH amqp://exchange/key, PUT s3://bucket/key. A body that is no text stands as a
data URL, data:;base64,... The settings file is YAML or JSON with
the keys settings and secrets; here only, secrets stand in clear.

TYPE may be the file of a kind of one's own, such as ./crm.yaml; so is it with
the type custom and --spec.`,
		Example: `  weir preview destination webhook --settings hook.yaml < events.jsonl
  echo '{"type":"track","event":"Hi","userId":"u"}' |
    weir preview destination webhook --settings hook.yaml --now 2026-01-02T03:04:05Z`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return k.destination(cmd.Context(), args[0], spec, file, now, k.Lines(cmd))
		},
	}
	cmd.Flags().StringVar(&file, "settings", "", "file with settings and secrets (none: no settings)")
	cmd.Flags().StringVar(&spec, "spec", "", "of the type custom: `FILE` with its spec")
	cmd.Flags().StringVar(&now, "now", "", "the time to take for now, RFC 3339 (default the clock's)")
	return cmd
}

func (k invocation) destination(ctx context.Context, typ, spec, file, now string, out *console.Lines) error {
	with, err := readSettings(file, now)
	if err != nil {
		return err
	}
	build, err := opened(typ, spec, with)
	if err != nil {
		return fmt.Errorf("preview destination %s: %w", typ, err)
	}
	lines := bufio.NewScanner(k.In)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		event := bytes.TrimSpace(lines.Bytes())
		if len(event) == 0 {
			continue
		}
		if err := errors.Join(ctx.Err(), out.PrintValue(build(event))); err != nil {
			return fmt.Errorf("preview line %d: %w", n, err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fault.New(fault.Invalid, "line %d of stdin is over %d MiB", n+1, maxLine>>20)
	}
	if lines.Err() != nil {
		return fmt.Errorf("read stdin after line %d: %w", n, lines.Err())
	}
	return nil
}

// opened opens a destination of the type typ, or of the spec in a file.
func opened(typ, spec string, with settings) (func(event []byte) preview.Line, error) {
	if spec == "" && strings.ContainsAny(typ, "./\\") {
		spec, typ = typ, private.Type
	}
	if (spec == "") != (typ != private.Type) {
		return nil, command.Usage("--spec FILE goes with the type custom")
	}
	if spec == "" {
		return preview.OpenDestination(dataplane.Kinds().Destinations, typ, with.settings, with.secrets, with.now)
	}
	text, err := manifest.ReadSpec(spec)
	if err != nil {
		return nil, err
	}
	kind, err := dataplane.Kinds().Custom(text)
	if err != nil {
		return nil, err
	}
	return preview.Open(kind, with.settings, with.secrets, with.now)
}

// readSettings reads the file, "" for none, and the time, "" for the clock's.
func readSettings(file, now string) (settings, error) {
	s := settings{settings: json.RawMessage("{}"), now: time.Now().UTC()}
	if now != "" {
		t, err := time.Parse(time.RFC3339Nano, now)
		if err != nil {
			return s, command.Usage("--now %q is no time such as 2026-01-02T03:04:05Z", now)
		}
		s.now = t
	}
	if file == "" {
		return s, nil
	}
	in, err := console.OpenFile(file)
	if err != nil {
		return s, err
	}
	defer func() { _ = in.Close() }()
	var clear map[string]string
	if s.settings, clear, err = manifest.ParseSettings(file, in); err != nil {
		return s, err
	}
	s.secrets = map[string]secret.String{}
	for field, value := range clear {
		s.secrets[field] = secret.NewString(value)
	}
	return s, nil
}
