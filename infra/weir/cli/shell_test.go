package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/infra/weir/cli"
	"weir/shared/command"
)

// shell runs the command line in a folder with an environment.
type shell struct {
	t   *testing.T
	dir string
	env map[string]string
	in  string
}

func newShell(t *testing.T, f *fake) *shell {
	return &shell{t: t, dir: t.TempDir(), env: map[string]string{"WEIR_CONTROL": f.server.URL, "WEIR_TOKEN": token}}
}

// file writes a file into the folder and returns its path.
func (s *shell) file(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// run executes a command and returns its exit code and streams.
func (s *shell) run(args ...string) (int, string, string) {
	s.t.Helper()
	var out, err bytes.Buffer
	p := command.Process{Version: "test", In: strings.NewReader(s.in), Out: &out, Err: &err, Env: func(k string) (string, bool) { v, ok := s.env[k]; return v, ok }}
	code := cli.Run(context.Background(), p, args)
	return code, out.String(), err.String()
}

// must is run for commands that succeed.
func (s *shell) must(args ...string) string {
	s.t.Helper()
	code, out, err := s.run(args...)
	if code != command.ExitDone {
		s.t.Fatalf("weir %s: exit %d\n%s%s", strings.Join(args, " "), code, out, err)
	}
	return out
}

// fails is run for commands that must end with code and say each of texts.
func (s *shell) fails(code int, texts []string, args ...string) {
	s.t.Helper()
	got, out, err := s.run(args...)
	if got != code {
		s.t.Errorf("weir %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, err)
	}
	for _, text := range texts {
		if !strings.Contains(err, text) {
			s.t.Errorf("weir %s: stderr lacks %q:\n%s", strings.Join(args, " "), text, err)
		}
	}
}
