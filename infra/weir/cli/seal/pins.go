package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir/infra/weir/cli/remote"
	"weir/shared/durable"
	"weir/shared/fault"
	"weir/shared/id"
)

// pinsFile stands beside the configuration.
const pinsFile = "weir.pins"

const pinsHead = `# Identities of data planes, pinned when a secret was first sealed to them by 'weir apply'.
# Keep this file under version control: it tells when somebody stands in a plane's place.
`

// pins are the identity keys of planes that secrets were sealed to: trusted on
// first use, and never changed by a control plane's word.
type pins struct {
	file  string
	keys  map[id.Plane][]byte
	added bool // since the file was read
}

// loadPins reads the file of pins in dir; without one there are none.
func loadPins(dir string) (*pins, error) {
	p := &pins{file: filepath.Join(dir, pinsFile), keys: map[id.Plane][]byte{}}
	b, err := os.ReadFile(p.file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the planes' pins: %w", err)
	}
	n := 0
	for line := range strings.SplitSeq(string(b), "\n") {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		plane, key, _ := strings.Cut(line, " ")
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "ed25519:"))
		if err != nil || len(raw) == 0 || !strings.HasPrefix(key, "ed25519:") || !id.Valid(id.Plane(plane)) {
			return nil, fault.New(fault.Invalid, "%s:%d is damaged; bring the file back from version control, or remove the line to pin that plane anew", p.file, n)
		}
		p.keys[id.Plane(plane)] = raw
	}
	return p, nil
}

// check compares a plane's identity with its pin, and pins a new plane; it
// reports whether the plane is new.
func (p *pins) check(plane remote.Plane) (bool, error) {
	pinned, ok := p.keys[plane.ID]
	if !ok {
		p.keys[plane.ID] = plane.IdentityKey
		p.added = true
		return true, nil
	}
	if !bytes.Equal(pinned, plane.IdentityKey) {
		return false, fault.New(fault.Denied, `plane %s (%s) shows another identity than the one in %s, so somebody may stand in its place; nothing was sealed
  pinned now: %s
  shown:      %s
If the plane was made anew on purpose, compare the shown fingerprint with the one on its own machine, then remove the line of %s from %s and apply again`,
			plane.Name, plane.ID, p.file, fingerprint(pinned), fingerprint(plane.IdentityKey), plane.ID, p.file)
	}
	return false, nil
}

// save writes the file when there are new pins: whole or not at all.
func (p *pins) save() error {
	if !p.added {
		return nil
	}
	var b strings.Builder
	b.WriteString(pinsHead)
	for _, plane := range slices.Sorted(maps.Keys(p.keys)) {
		fmt.Fprintf(&b, "%s ed25519:%s\n", plane, base64.StdEncoding.EncodeToString(p.keys[plane]))
	}
	if err := durable.WriteFile(p.file, []byte(b.String()), 0o644); err != nil {
		return fault.New(fault.Unavailable, "the planes' identities cannot be pinned in %s (%v); nothing was applied", p.file, err)
	}
	p.added = false
	return nil
}

// fingerprint is an identity key as people compare it, and as the console shows
// it: the first 16 bytes of its SHA-256, in hex.
func fingerprint(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:16])
}
