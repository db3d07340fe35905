package console

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"weir/shared/fault"
)

// Line asks for a line on a terminal, and else reads the next line of the input.
func (k *Console) Line(prompt string) (string, error) { return k.ask(prompt, false) }

// Secret is Line for what a terminal does not show.
func (k *Console) Secret(prompt string) (string, error) { return k.ask(prompt, true) }

// Asks reports whether the input is a terminal, where somebody can be asked.
func (k *Console) Asks() bool {
	file, ok := k.In.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func (k *Console) ask(prompt string, hidden bool) (string, error) {
	if k.Asks() {
		fmt.Fprintf(k.Err, "%s: ", prompt)
	}
	if file, ok := k.In.(*os.File); ok && hidden && k.Asks() {
		text, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(k.Err)
		if err != nil || len(text) == 0 {
			return "", fault.New(fault.Invalid, "no %s was given", prompt)
		}
		return string(text), nil
	}
	if k.lines == nil {
		k.lines = bufio.NewReader(k.In)
	}
	line, err := k.lines.ReadString('\n')
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", fault.New(fault.Invalid, "the input holds no %s: %v", prompt, err)
	}
	return line, nil
}
