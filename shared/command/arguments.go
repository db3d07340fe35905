package command

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// checkArguments lets cmd, and all below it, take as many arguments as its Use names
// in capitals, those in brackets being optional and the last with ... repeated, and say in a sentence what is wrong
// with others.
func checkArguments(cmd *cobra.Command) {
	cmd.Args = arguments
	cmd.SuggestionsMinimumDistance = 2
	cmd.SetFlagErrorFunc(explainFlag)
	for _, sub := range cmd.Commands() {
		checkArguments(sub)
	}
}

// arguments implements cobra.PositionalArgs by cmd.Use.
func arguments(cmd *cobra.Command, args []string) error {
	needed, optional := argumentsOf(cmd.Use)
	switch {
	case len(args) < len(needed):
		return Usage("%s needs %s: %s", cmd.CommandPath(), needed[len(args)], cmd.UseLine())
	case len(args) <= len(needed)+optional, len(needed) > 0 && strings.HasSuffix(needed[len(needed)-1], "..."):
		return nil
	case cmd.HasAvailableSubCommands():
		return Usage("%s has no command %q%s", cmd.CommandPath(), args[0], didYouMean(cmd.SuggestionsFor(args[0])))
	case len(needed)+optional == 0:
		return Usage("%s takes no argument, but %q was given", cmd.CommandPath(), args[0])
	}
	return Usage("%q is one argument too many: %s", args[len(needed)+optional], cmd.UseLine())
}

// unknownCommand says that args name a command that is not there, else nil. cobra looks
// at flags first, and those of a command that is not there are unknown too.
func unknownCommand(root *cobra.Command, args []string) error {
	cmd, rest, err := root.Find(args)
	if err != nil || !cmd.HasAvailableSubCommands() || len(rest) == 0 || strings.HasPrefix(rest[0], "-") {
		return nil
	}
	return Usage("%s has no command %q%s", cmd.CommandPath(), rest[0], didYouMean(cmd.SuggestionsFor(rest[0])))
}

// argumentsOf reads a usage such as "query DESTINATION [SQL] --flag VALUE".
func argumentsOf(use string) (needed []string, optional int) {
	words := strings.Fields(use)
	for i := 1; i < len(words); i++ {
		switch w := words[i]; {
		case strings.HasPrefix(w, "-"):
			i++ // its value
		case strings.HasPrefix(w, "["):
			optional++
		default:
			needed = append(needed, w)
		}
	}
	return needed, optional
}

// expandHome replaces a leading ~ of values of cmd's flags, which shells leave as it
// is in quotes and behind an equals sign.
func (p Process) expandHome(cmd *cobra.Command) error {
	home, _ := p.Env("HOME")
	var wrong error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		rest, ok := strings.CutPrefix(f.Value.String(), "~/")
		if !f.Changed || !ok || f.Value.Type() != "string" {
			return
		}
		if home == "" {
			wrong = Usage("--%s begins with ~/, and HOME is not set; write the whole path", f.Name)
			return
		}
		_ = f.Value.Set(filepath.Join(home, rest)) // it takes any text
	})
	return wrong
}

var unknownFlag = regexp.MustCompile(`^unknown (?:shorthand )?flag: (?:'.' in )?(-\S+)`)

// explainFlag says which flag was perhaps meant.
func explainFlag(cmd *cobra.Command, err error) error {
	found := unknownFlag.FindStringSubmatch(err.Error())
	if found == nil {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		return usageError{err.Error()}
	}
	given := strings.TrimLeft(found[1], "-")
	var near []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && similar(given, f.Name) {
			near = append(near, "--"+f.Name)
		}
	})
	return Usage("%s has no flag %s%s", cmd.CommandPath(), found[1], didYouMean(near))
}

// similar reports whether one name begins with the other, or differs from it in one or
// two letters, by cobra's own measure for commands.
func similar(given, name string) bool {
	probe := &cobra.Command{Use: "probe", SuggestionsMinimumDistance: 2}
	probe.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
	return len(probe.SuggestionsFor(given)) > 0
}

var missingFlags = regexp.MustCompile(`^required flag\(s\) (.+) not set$`)

// explain gives the sentence for what cobra says of flags that are needed and absent.
func explain(cmd *cobra.Command, err error) string {
	found := missingFlags.FindStringSubmatch(err.Error())
	if found == nil {
		return err.Error()
	}
	names := strings.ReplaceAll(strings.ReplaceAll(found[1], `", "`, " and --"), `"`, "")
	return fmt.Sprintf("%s needs --%s: %s", cmd.CommandPath(), names, cmd.UseLine())
}

func didYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", strings.Join(names, " or "))
}
