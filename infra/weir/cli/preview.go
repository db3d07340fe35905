package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/manifest"
	"weir/shared/command"
	"weir/shared/fault"
	"weir/shared/secret"
)

// maxPreviewLine is the longest event that is read, in bytes.
const maxPreviewLine = 8 << 20

// Preview is a destination to look at, as its settings file describes it. Now
// is the time that stands for the moment of sending.
type Preview struct {
	Type     string
	Settings json.RawMessage
	Secrets  map[string]secret.String
	Now      time.Time
}

// PreviewRequest is a request that would be sent. Body is its text.
type PreviewRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// PreviewLine is what would become of one event. Dropped is the reason's code
// and Error a sentence; both are "" where they do not apply.
type PreviewLine struct {
	MessageID string
	Requests  []PreviewRequest
	Dropped   string
	Error     string
}

// MarshalJSON writes null for the reasons that do not apply.
func (l PreviewLine) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		MessageID string           `json:"messageId"`
		Requests  []PreviewRequest `json:"requests"`
		Dropped   *string          `json:"dropped"`
		Error     *string          `json:"error"`
	}{l.MessageID, append([]PreviewRequest{}, l.Requests...), nonEmpty(l.Dropped), nonEmpty(l.Error)})
	return b.Bytes(), err
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// PreviewFunc opens a destination and returns what tells, for one event as
// JSON, what would be sent for it. Problems with the settings are fault.Invalid
// from the call itself; an event that cannot be read is a line with Error.
type PreviewFunc func(ctx context.Context, p Preview) (func(event []byte) PreviewLine, error)

func newPreview(k *console) *cobra.Command {
	var file, now string
	destination := &cobra.Command{
		Use:   "destination TYPE",
		Short: "Print the requests that a destination would be sent",
		Long: `Reads events from stdin, one JSON object a line, and prints for each a line with
the requests that would be sent:

  {"messageId","requests":[{"method","url","headers","body"}],"dropped","error"}

Nothing is sent, and no server is asked. The settings file is YAML or JSON with
the keys settings and secrets; here only, secrets stand in clear.`,
		Example: `  weir preview destination webhook --settings hook.yaml < events.jsonl
  echo '{"type":"track","event":"Hi","userId":"u"}' |
    weir preview destination webhook --settings hook.yaml --now 2026-01-02T03:04:05Z`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := Preview{Type: args[0], Settings: json.RawMessage("{}"), Now: time.Now().UTC()}
			if now != "" {
				t, err := time.Parse(time.RFC3339Nano, now)
				if err != nil {
					return command.Usage("--now %q is no time such as 2026-01-02T03:04:05Z", now)
				}
				p.Now = t
			}
			return k.preview(cmd.Context(), p, file)
		},
	}
	destination.Flags().StringVar(&file, "settings", "", "file with settings and secrets (none: no settings)")
	destination.Flags().StringVar(&now, "now", "", "the time to take for now, RFC 3339 (default the clock's)")
	return group("preview", "Show what would be sent, without sending it", destination, newPreviewTransform(k), newPreviewWarehouse(k))
}

func (k *console) preview(ctx context.Context, p Preview, file string) error {
	if k.Preview == nil {
		return fault.New(fault.Unavailable, "this binary holds no destinations; use the full 'weir' binary")
	}
	if file != "" {
		if err := readPreview(&p, file); err != nil {
			return err
		}
	}
	build, err := k.Preview(ctx, p)
	if err != nil {
		return fmt.Errorf("preview destination %s: %w", p.Type, err)
	}
	out := bufio.NewWriter(k.Out)
	lines := bufio.NewScanner(k.In)
	lines.Buffer(nil, maxPreviewLine)
	n := 0
	for lines.Scan() {
		n++
		event := bytes.TrimSpace(lines.Bytes())
		if len(event) == 0 {
			continue
		}
		if err := errors.Join(ctx.Err(), writeJSON(out, build(event)), out.Flush()); err != nil {
			return fmt.Errorf("preview line %d: %w", n, err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fault.New(fault.Invalid, "line %d of stdin is over %d MiB", n+1, maxPreviewLine>>20)
	}
	if lines.Err() != nil {
		return fmt.Errorf("read stdin after line %d: %w", n, lines.Err())
	}
	return nil
}

// readPreview fills p from the settings file.
func readPreview(p *Preview, file string) error {
	in, err := openFile(file)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	settings, secrets, err := manifest.ParseSettings(file, in)
	if err != nil {
		return err
	}
	p.Settings, p.Secrets = settings, map[string]secret.String{}
	for field, clear := range secrets {
		p.Secrets[field] = secret.NewString(clear)
	}
	return nil
}

// openFile opens a file that the command line names.
func openFile(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.New(fault.Missing, "the file cannot be opened: %v", err)
	}
	return f, nil
}
