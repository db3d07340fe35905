package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"weir/shared/durable"
	"weir/shared/fault"
)

// Contexts is the control planes that 'weir login' signed in to, and the one that
// commands use. Its file has mode 0600: it holds tokens.
type Contexts struct {
	Current  string             `json:"current"`
	Contexts map[string]Context `json:"contexts"`

	path string
}

// Context is one control plane and the token for it.
type Context struct {
	Control string `json:"control"`
	Token   string `json:"token"`
	TokenID string `json:"tokenId,omitempty"` // empty of a token that 'weir login' did not make
}

// Contexts reads the file that WEIR_CONTEXTS names, else weir/contexts.json in the
// user's configuration folder; without the file there are none.
func (k *Console) Contexts() (Contexts, error) {
	c := Contexts{Contexts: map[string]Context{}}
	if c.path, _ = k.Env("WEIR_CONTEXTS"); c.path == "" {
		folder, _ := k.Env("XDG_CONFIG_HOME")
		if home, _ := k.Env("HOME"); folder == "" && home != "" {
			folder = filepath.Join(home, ".config")
		}
		if folder == "" {
			return c, nil // there is no home, so nobody signed in here
		}
		c.path = filepath.Join(folder, "weir", "contexts.json")
	}
	b, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("read the contexts: %w", err)
	}
	if err := json.Unmarshal(b, &c); err != nil || c.Contexts == nil {
		return c, fault.New(fault.Invalid, "%s is damaged; remove it and sign in again with 'weir login'", c.path)
	}
	return c, nil
}

// Write keeps c.
func (c Contexts) Write() error {
	if c.path == "" {
		return fault.New(fault.Missing, "there is no home folder for the token; set WEIR_CONTEXTS to a file's name")
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	if err := durable.WriteFile(c.path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	return nil
}

// of returns the current context for an empty address, else one of that address;
// the zero Context when there is none.
func (c Contexts) of(address string) Context {
	current := c.Contexts[c.Current]
	if address == "" || sameAddress(address, current.Control) {
		return current
	}
	for _, one := range c.Contexts {
		if sameAddress(address, one.Control) {
			return one
		}
	}
	return Context{}
}

func sameAddress(a, b string) bool { return strings.TrimRight(a, "/") == strings.TrimRight(b, "/") }
