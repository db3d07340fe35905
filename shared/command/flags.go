package command

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"weir/shared/telemetry"
)

// Variables says how the environment fills a command's flags.
type Variables struct {
	Files []string // flags whose value may also stand in a file that WEIR_<FLAG>_FILE names
	Never []string // flags that are for one start alone, and given on the command line only
}

// Bind fills the flags of cmd that are not given from the environment before cmd
// runs: --data-dir from WEIR_DATA_DIR. Empty variables count as absent. Flags of
// the commands above cmd are not filled.
func (p Process) Bind(cmd *cobra.Command, v Variables) {
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		var wrong []error
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Changed || f.Name == "help" || f.Name == "version" || slices.Contains(v.Never, f.Name) {
				return
			}
			if err := p.fill(cmd, f.Name, slices.Contains(v.Files, f.Name)); err != nil {
				wrong = append(wrong, err)
			}
		})
		return errors.Join(wrong...)
	}
}

// fill sets one flag from its variable or, where that is not set, from its file.
func (p Process) fill(cmd *cobra.Command, flag string, byFile bool) error {
	variable := "WEIR_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
	value, ok := p.Env(variable)
	if path, named := p.Env(variable + "_FILE"); byFile && !ok && named && path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("%s_FILE: %w", variable, err)
		}
		value = strings.TrimSpace(string(text))
	}
	if value == "" {
		return nil
	}
	if err := cmd.Flags().Set(flag, value); err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	return nil
}

// Log is the flags by which a role's logger is chosen.
type Log struct {
	process       Process
	format, level string
}

// LogFlags gives cmd the flags of a logger that writes to standard error.
func (p Process) LogFlags(cmd *cobra.Command) *Log {
	l := &Log{process: p}
	cmd.Flags().StringVar(&l.format, "log-format", "text", "text or json")
	cmd.Flags().StringVar(&l.level, "log-level", "info", "debug, info, warn or error")
	return l
}

// Logger returns the logger that was chosen. An error is one of usage.
func (l *Log) Logger() (*slog.Logger, error) {
	log, err := telemetry.NewLogger(telemetry.LogConfig{Out: l.process.Err, Format: l.format, Level: l.level})
	if err != nil {
		return nil, Usage("%v", err)
	}
	return log, nil
}
