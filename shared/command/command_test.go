package command_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"weir/shared/command"
	"weir/shared/fault"
)

// program is a program with one command and the environment env. run is what the
// command does with its flags.
func program(env map[string]string, run func(dir, secret string, once bool) error) (p command.Process, root *cobra.Command, out, complaints *bytes.Buffer) {
	out, complaints = new(bytes.Buffer), new(bytes.Buffer)
	p = command.Process{Program: "prog", Version: "1.2.3", Out: out, Err: complaints, Env: func(k string) (string, bool) { v, ok := env[k]; return v, ok }}.Complete()
	root = &cobra.Command{Use: "prog", RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	root.PersistentFlags().String("output", "table", "")
	var dir, secret string
	var once bool
	role := &cobra.Command{Use: "role", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return run(dir, secret, once) }}
	role.Flags().StringVar(&dir, "data-dir", "here", "")
	role.Flags().StringVar(&secret, "token", "", "")
	role.Flags().BoolVar(&once, "reset", false, "")
	p.Bind(role, command.Variables{Files: []string{"token"}, Never: []string{"reset"}})
	root.AddCommand(role)
	return p, root, out, complaints
}

func TestFlagsComeFromTheCommandLineElseFromTheEnvironment(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		env         map[string]string
		args        []string
		dir, secret string
	}{
		"nothing":                       {nil, nil, "here", ""},
		"a variable":                    {map[string]string{"WEIR_DATA_DIR": "/v", "WEIR_TOKEN": "t"}, nil, "/v", "t"},
		"a flag before its variable":    {map[string]string{"WEIR_DATA_DIR": "/v"}, []string{"--data-dir", "/f"}, "/f", ""},
		"a home in a flag":              {map[string]string{"HOME": "/home/u"}, []string{"--data-dir=~/x", "--token=a~/b"}, "/home/u/x", "a~/b"},
		"a home in a variable":          {map[string]string{"HOME": "/home/u", "WEIR_DATA_DIR": "~/x"}, nil, "/home/u/x", ""},
		"an empty variable":             {map[string]string{"WEIR_DATA_DIR": ""}, nil, "here", ""},
		"a file":                        {map[string]string{"WEIR_TOKEN_FILE": file}, nil, "here", "from-file"},
		"a variable before its file":    {map[string]string{"WEIR_TOKEN_FILE": file, "WEIR_TOKEN": "t"}, nil, "here", "t"},
		"a file for a flag without one": {map[string]string{"WEIR_DATA_DIR_FILE": file}, nil, "here", ""},
		"a flag for one start alone":    {map[string]string{"WEIR_RESET": "true"}, nil, "here", ""},
		"a flag of the command above":   {map[string]string{"WEIR_OUTPUT": "nonsense", "WEIR_HELP": "true"}, nil, "here", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ran := false
			p, root, _, complaints := program(tc.env, func(dir, secret string, once bool) error {
				if ran = true; dir != tc.dir || secret != tc.secret || once {
					t.Errorf("the command has --data-dir %q, --token %q, --reset %v, want %q, %q, false", dir, secret, once, tc.dir, tc.secret)
				}
				return nil
			})
			if code := p.Run(context.Background(), root, append([]string{"role"}, tc.args...)); code != command.ExitDone || !ran {
				t.Errorf("exit %d, ran %v: %s", code, ran, complaints)
			}
		})
	}
}

func TestTheLastArgumentMayBeRepeated(t *testing.T) {
	t.Parallel()
	for args, code := range map[string]int{"put a b": command.ExitDone, "put a b c d": command.ExitDone, "put a": command.ExitUsage} {
		p, root, _, complaints := program(nil, nil)
		root.AddCommand(&cobra.Command{Use: "put NAME VALUE...", RunE: func(*cobra.Command, []string) error { return nil }})
		if got := p.Run(context.Background(), root, strings.Fields(args)); got != code {
			t.Errorf("%s: exit %d, want %d: %s", args, got, code, complaints)
		}
	}
}

func TestTheExitCodeSaysWhoseFaultItIs(t *testing.T) {
	t.Parallel()
	problems := &fault.Error{Kind: fault.Invalid, Text: "two things are wrong", Problems: []fault.Problem{{Path: "a[0]", Text: "no \x1b[31m such"}, {Code: "bare"}}}
	for name, tc := range map[string]struct {
		env  map[string]string
		args string
		err  error
		code int
		says string
	}{
		"an unknown flag":          {nil, "role --bogus", nil, command.ExitUsage, "prog: prog role has no flag --bogus\nSee 'prog role --help'.\n"},
		"an argument too many":     {nil, "role more", nil, command.ExitUsage, "prog: prog role takes no argument"},
		"a file that is not there": {map[string]string{"WEIR_TOKEN_FILE": "/does/not/exist"}, "role", nil, command.ExitUsage, "WEIR_TOKEN_FILE: open /does/not/exist"},
		"usage found later":        {nil, "role", command.Usage("--data-dir %q is none", "x"), command.ExitUsage, `prog: --data-dir "x" is none` + "\n"},
		"an unknown command":       {nil, "rolle --bogus x", nil, command.ExitUsage, `prog: prog has no command "rolle"; did you mean role?` + "\nSee 'prog --help'.\n"},
		"a failure with its code":  {nil, "role", command.ExitWith(7, errors.New("it broke")), 7, "prog: it broke\n"},
		"a failure":                {nil, "role", errors.New("it broke"), command.ExitFailed, "prog: it broke\n"},
		"a failure with problems":  {nil, "role", problems, command.ExitFailed, "\n  a[0]: no �[31m such\n  bare\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, root, _, complaints := program(tc.env, func(string, string, bool) error { return tc.err })
			if code := p.Run(context.Background(), root, strings.Fields(tc.args)); code != tc.code || !strings.Contains(complaints.String(), tc.says) {
				t.Errorf("exit %d, want %d, saying %q, want %q in it", code, tc.code, complaints, tc.says)
			}
		})
	}
	p, root, out, _ := program(nil, nil)
	if code := p.Run(context.Background(), root, []string{"--version"}); code != command.ExitDone || !strings.Contains(out.String(), "1.2.3") {
		t.Errorf("--version: exit %d, %q", code, out)
	}
}

func TestTheShareOfTracesIsChecked(t *testing.T) {
	t.Parallel()
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for name, tc := range map[string]struct {
		env     map[string]string
		on      bool
		problem string
	}{
		"no collector":       {nil, false, ""},
		"turned off":         {map[string]string{endpoint: "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, false, ""},
		"a collector":        {map[string]string{endpoint: "http://127.0.0.1:1"}, true, ""},
		"an unknown sampler": {map[string]string{endpoint: "http://127.0.0.1:1", "OTEL_TRACES_SAMPLER": "coin"}, false, "OTEL_TRACES_SAMPLER"},
		"no number":          {map[string]string{endpoint: "http://127.0.0.1:1", "OTEL_TRACES_SAMPLER_ARG": "many"}, false, "OTEL_TRACES_SAMPLER_ARG"},
		"a share over 1":     {map[string]string{endpoint: "http://127.0.0.1:1", "OTEL_TRACES_SAMPLER_ARG": "2"}, false, "not between 0 and 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := command.Process{Env: func(k string) (string, bool) { v, ok := tc.env[k]; return v, ok }}.Complete()
			traces, err := p.Traces(context.Background(), nil)
			if tc.problem == "" && err != nil || tc.problem != "" && (err == nil || !strings.Contains(err.Error(), tc.problem)) {
				t.Errorf("error %v, want one with %q", err, tc.problem)
			}
			if (traces != nil) != tc.on {
				t.Errorf("traces: %v, want %v", traces != nil, tc.on)
			}
			if err := traces.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

func TestWhatLibrariesPrintGoesNowhere(t *testing.T) {
	t.Parallel()
	p, root, out, complaints := program(nil, func(string, string, bool) error {
		log.Print("Unsolicited response received on idle HTTP channel starting with \"secret\"")
		return nil
	})
	if code := p.Run(t.Context(), root, []string{"role"}); code != command.ExitDone {
		t.Fatalf("exit %d", code)
	}
	if log.Writer() != io.Discard || out.Len()+complaints.Len() > 0 {
		t.Errorf("a library's line went to %v, or out %q, err %q", log.Writer(), out, complaints)
	}
}
