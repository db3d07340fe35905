package connector

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"weir/shared/fault"
)

// manifestFile describes a connector, in its folder.
const manifestFile = "connector.yaml"

// Manifest is the content of connector.yaml, with defaults filled in.
type Manifest struct {
	Protocol string   `yaml:"protocol"` // singer or airbyte
	Command  []string `yaml:"command"`  // a program on the system's path, or ./ one of the folder; its arguments
	Hosts    []string `yaml:"hosts"`    // what it may reach, as patterns: "*.example.com"; none: nothing
	Paths    []string `yaml:"paths"`    // files and folders that it may read, besides the system's and its own
	Discover *bool    `yaml:"discover"` // it can list its streams; absent: it can

	MemoryMiB  int64         `yaml:"memoryMiB"`  // of all its processes together; 512
	ScratchMiB int64         `yaml:"scratchMiB"` // of its files, which are in memory; 64
	Processes  int           `yaml:"processes"`  // 64, threads aside
	CPU        time.Duration `yaml:"cpu"`        // of all its processes together, in one run; 1h
	Silence    time.Duration `yaml:"silence"`    // so long it may say nothing; 10m
	Output     int64         `yaml:"outputMiB"`  // so much it may say in a second, then it waits; 32
}

// Bounds of a manifest.
const (
	mostMemory  = 64 << 10
	mostScratch = 16 << 10
	mostOutput  = 4 << 10
	mostManual  = 64 << 10
)

// Config is how connectors run. Dir "" means that there are none.
type Config struct {
	Dir  string // a folder for each connector
	Logs string // folder for what connectors write to stderr; it is made
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Most int // runs at once; 0: 4
	Log  *slog.Logger
}

// Folder is the connectors of a plane. It is safe for concurrent use.
type Folder struct {
	cfg   Config
	slots chan struct{}
}

// New returns a Folder. It looks at nothing yet.
func New(cfg Config) *Folder {
	if cfg.Most == 0 {
		cfg.Most = 4
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Folder{cfg: cfg, slots: make(chan struct{}, cfg.Most)}
}

var named = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Find reads the manifest of a connector. fault.Missing: there is none of this name and
// protocol. fault.Invalid: its manifest is not right, or cannot be read.
func (f *Folder) Find(name, protocol string) (Manifest, error) {
	if f == nil || f.cfg.Dir == "" {
		return Manifest{}, fault.New(fault.Missing, "This data plane runs no connectors: its owner names a folder with them by --connectors.")
	}
	if !named.MatchString(name) {
		return Manifest{}, fault.New(fault.Missing, "A connector's name is 1 to 63 of a-z, 0-9, '.', '_' and '-'.")
	}
	file, err := os.Open(filepath.Join(f.cfg.Dir, name, manifestFile))
	if errors.Is(err, os.ErrNotExist) {
		return Manifest{}, fault.New(fault.Missing, "This data plane has no connector %s: its owner puts it into the folder of --connectors.", name)
	}
	if err != nil {
		return Manifest{}, fault.New(fault.Invalid, "The %s of the connector %s cannot be read.", manifestFile, name)
	}
	defer func() { _ = file.Close() }() // it is only read
	text, err := io.ReadAll(io.LimitReader(file, mostManual))
	if err != nil {
		return Manifest{}, fault.New(fault.Invalid, "The %s of the connector %s cannot be read.", manifestFile, name)
	}
	m, err := parse(text)
	if err != nil {
		return m, fault.New(fault.Invalid, "The %s of the connector %s: %v", manifestFile, name, err)
	}
	if m.Protocol != protocol {
		return m, fault.New(fault.Missing, "The connector %s speaks %s: use a source of the type %s.", name, m.Protocol, m.Protocol)
	}
	return m, nil
}

// parse reads a manifest.
func parse(text []byte) (Manifest, error) {
	var m Manifest
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&m); err != nil && !errors.Is(err, io.EOF) {
		return m, err
	}
	if m.Protocol != "singer" && m.Protocol != "airbyte" {
		return m, errors.New("protocol is singer or airbyte")
	}
	if len(m.Command) == 0 || m.Command[0] == "" {
		return m, errors.New("command is a list: a program and its arguments")
	}
	if program := m.Command[0]; strings.Contains(program, "/") && !strings.HasPrefix(program, "./") || strings.Contains(program, "..") {
		return m, errors.New("command begins with the name of a program of the system, or with ./ and one of the folder")
	}
	for _, p := range m.Hosts {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return m, errors.New("hosts are names, in which * stands for anything")
		}
	}
	for _, p := range m.Paths {
		if !filepath.IsAbs(p) || filepath.Clean(p) != p || p == "/" {
			return m, errors.New("paths are whole: /opt/tap")
		}
	}
	for _, n := range []struct {
		name string
		at   *int64
		def  int64
		most int64
	}{{"memoryMiB", &m.MemoryMiB, 512, mostMemory}, {"scratchMiB", &m.ScratchMiB, 64, mostScratch}, {"outputMiB", &m.Output, 32, mostOutput}} {
		if *n.at == 0 {
			*n.at = n.def
		}
		if *n.at < 1 || *n.at > n.most {
			return m, errors.New(n.name + " is a number of mebibytes")
		}
	}
	if m.Processes == 0 {
		m.Processes = 64
	}
	if m.CPU == 0 {
		m.CPU = time.Hour
	}
	if m.Silence == 0 {
		m.Silence = 10 * time.Minute
	}
	if m.Processes < 1 || m.CPU < time.Second || m.Silence < time.Second {
		return m, errors.New("processes, cpu and silence are above zero: 64, 1h, 10m")
	}
	return m, nil
}

// Discovers reports whether a connector lists its streams.
func (m *Manifest) Discovers() bool { return m.Discover == nil || *m.Discover }

// reaches reports whether a connector may reach a host.
func (m *Manifest) reaches(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(m.Hosts, func(pattern string) bool {
		ok, err := path.Match(strings.ToLower(pattern), host)
		return err == nil && ok
	})
}
