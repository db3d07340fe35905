package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/remote"
	"weir/shared/command"
	"weir/shared/durable"
	"weir/shared/fault"
)

// DevFile is the name of the file in the data directory by which commands find
// a running `weir dev`.
const DevFile = "dev.json"

// Dev is the content of DevFile. Its mode is 0600: it holds credentials.
type Dev struct {
	Control  string `json:"control"` // URL of the control plane
	Token    string `json:"token"`   // API token
	Gateway  string `json:"gateway"` // URL of the first plane's gateway
	View     string `json:"view"`
	Metrics  string `json:"metrics"`
	Hub      string `json:"hub"` // nats:// of the hub
	WriteKey string `json:"writeKey"`
	Email    string `json:"email"` // of the console's login
	Password string `json:"password"`
}

// Use makes k speak to the control plane of a running `weir dev` in dir.
func (k *Console) Use(dir string, d Dev) {
	k.dataDir, k.control, k.token = dir, d.Control, d.Token
}

// RemoteFlags gives cmd the flags by which it finds the control plane.
func (k *Console) RemoteFlags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&k.control, "control", "", "URL of the control plane (else WEIR_CONTROL, else dev.json)")
	cmd.Flags().StringVar(&k.token, "token", "", "API token (else WEIR_TOKEN, else dev.json)")
	cmd.Flags().StringVar(&k.org, "org", "", "the organization (else WEIR_ORG, else your only one or default)")
	cmd.Flags().StringVar(&k.dataDir, "data-dir", ".weir", "where 'weir dev' keeps its data, with dev.json")
	return cmd
}

// Connect finds the control plane: --control, WEIR_CONTROL, dev.json, then the
// context of 'weir login'. A token from a file is only ever sent to the control plane
// of that file.
func (k *Console) Connect() (*remote.Control, error) {
	address, token := k.control, k.token
	if address == "" {
		address, _ = k.Env("WEIR_CONTROL")
	}
	dev, err := ReadDev(k.dataDir)
	if err != nil {
		return nil, err
	}
	if token == "" {
		if token, err = k.envToken(); err != nil {
			return nil, err
		}
	}
	if dev.Control != "" && (address == "" || sameAddress(address, dev.Control)) {
		address = dev.Control
		if token == "" {
			token = dev.Token
		}
	}
	if address == "" || token == "" {
		contexts, err := k.Contexts()
		if err != nil {
			return nil, err
		}
		found := contexts.of(address)
		if address == "" {
			address = found.Control
		}
		if token == "" {
			token = found.Token
		}
	}
	if address == "" {
		return nil, fault.New(fault.Missing, "no control plane was named and %s is not there; start one here with 'weir dev', or sign in with 'weir login --control URL', or give --control URL and --token TOKEN, or set WEIR_CONTROL and WEIR_TOKEN",
			filepath.Join(k.dataDir, DevFile))
	}
	if token == "" {
		return nil, fault.New(fault.Denied, "there is no token for %s; sign in with 'weir login --control %s', or give --token TOKEN, or set WEIR_TOKEN or WEIR_TOKEN_FILE", address, address)
	}
	control, err := remote.NewControl(address, token)
	if err != nil {
		return nil, err
	}
	org := k.org
	if org == "" {
		org, _ = k.Env("WEIR_ORG")
	}
	control.In(org)
	control.OnWait(func(text string) { k.Note("weir: %s", command.Clean(text)) })
	if u, err := url.Parse(address); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		k.Note("weir: warning: the token goes to %s without TLS; use https", command.Clean(u.Host))
	}
	return control, nil
}

// envToken reads WEIR_TOKEN, else the file that WEIR_TOKEN_FILE names.
func (k *Console) envToken() (string, error) {
	if token, _ := k.Env("WEIR_TOKEN"); token != "" {
		return token, nil
	}
	name, _ := k.Env("WEIR_TOKEN_FILE")
	if name == "" {
		return "", nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return "", fault.New(fault.Missing, "the token's file cannot be read (%v); correct WEIR_TOKEN_FILE", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// ReadDev reads the DevFile of dir; it is zero when there is none.
func ReadDev(dir string) (Dev, error) {
	name := filepath.Join(dir, DevFile)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Dev{}, nil
	}
	if err != nil {
		return Dev{}, fmt.Errorf("read %s: %w", name, err)
	}
	var d Dev
	if err := json.Unmarshal(b, &d); err != nil || d.Control == "" {
		return Dev{}, fault.New(fault.Invalid, "%s is damaged; remove it and start 'weir dev' again, or give --control and --token", name)
	}
	return d, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Write writes d as DevFile into dir.
func (d Dev) Write(dir string) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", DevFile, err)
	}
	path := filepath.Join(dir, DevFile)
	if err := durable.WriteFile(path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", DevFile, err)
	}
	return nil
}
