package workspace

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"weir/shared/fault"
)

// MaxBytes is the longest encoded configuration. It fits, sealed, into one
// message of the hub.
const MaxBytes = 4 << 20

// Encode returns the canonical encoding of c and its digest: JSON as in RFC
// 8785, except that numbers within settings stay as they were sent (a 64-bit
// integer is not rounded). Lists whose order means nothing are sorted by
// identifier, empty settings count as absent, a zero Format becomes the current
// one; c itself is not changed.
//
// fault.Invalid, with a problem: malformed when settings are not JSON, name a
// member twice, or a text is not UTF-8; too_large when the encoding is longer
// than MaxBytes.
func Encode(c Config) ([]byte, Digest, error) {
	var body jsontext.Value
	body, err := json.Marshal(sorted(c), json.Deterministic(true), jsonv1.OmitEmptyWithLegacySemantics(true))
	if err != nil {
		return nil, "", refuse("", "malformed", "Settings are damaged, or a text is not UTF-8.")
	}
	if err := body.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)); err != nil {
		return nil, "", refuse("", "malformed", "Settings name a member twice.")
	}
	if len(body) > MaxBytes {
		return nil, "", refuse("", "too_large", fmt.Sprintf("The configuration is %d bytes long; at most %d fit.", len(body), MaxBytes))
	}
	return body, DigestOf(body), nil
}

// DigestOf is the digest of an encoded configuration.
func DigestOf(body []byte) Digest {
	sum := sha256.Sum256(body)
	return Digest(hex.EncodeToString(sum[:]))
}

// Valid reports whether d may be a digest: 64 lower-case hex digits.
func (d Digest) Valid() bool {
	for i := range len(d) {
		if c := d[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(d) == 2*sha256.Size
}

// Decode reads what Encode wrote, strictly: an unknown or doubled member is
// refused.
//
// fault.Invalid, with a problem: too_new when the format is newer than Format,
// malformed for everything else.
func Decode(body []byte) (Config, error) {
	if len(body) > MaxBytes {
		return Config{}, refuse("", "malformed", fmt.Sprintf("The configuration is longer than %d bytes.", MaxBytes))
	}
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return Config{}, refuse("", "malformed", "The configuration is not readable JSON.")
	}
	if head.Format > Format {
		return Config{}, refuse("format", "too_new", fmt.Sprintf("The configuration has format %d; this build reads up to %d.", head.Format, Format))
	}
	if head.Format < 1 {
		return Config{}, refuse("format", "malformed", "The configuration has no format.")
	}
	var c Config
	if err := json.Unmarshal(body, &c, json.RejectUnknownMembers(true)); err != nil {
		return Config{}, refuse("", "malformed", "The configuration has a member that this build does not know, or one of a wrong type.")
	}
	return c, nil
}

func refuse(path, code, text string) error {
	return fault.Problems("The configuration cannot be used:", []fault.Problem{{Path: path, Code: code, Text: text}})
}

// sorted returns a copy of c in canonical order.
func sorted(c Config) Config {
	if c.Format == 0 {
		c.Format = Format
	}
	c.Sources = slices.Clone(c.Sources)
	slices.SortStableFunc(c.Sources, func(a, b Source) int { return cmp.Compare(a.ID, b.ID) })
	for i := range c.Sources {
		c.Sources[i].Settings = given(c.Sources[i].Settings)
	}
	c.Libraries = slices.Clone(c.Libraries)
	slices.SortStableFunc(c.Libraries, func(a, b Library) int { return cmp.Compare(a.Name, b.Name) })
	c.Transformations = slices.Clone(c.Transformations)
	slices.SortStableFunc(c.Transformations, func(a, b Transformation) int { return cmp.Compare(a.ID, b.ID) })
	c.Destinations = slices.Clone(c.Destinations)
	slices.SortStableFunc(c.Destinations, func(a, b Destination) int { return cmp.Compare(a.ID, b.ID) })
	for i := range c.Destinations {
		c.Destinations[i].Settings = given(c.Destinations[i].Settings)
	}
	c.Connections = slices.Clone(c.Connections)
	slices.SortStableFunc(c.Connections, func(a, b Connection) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Destination, b.Destination))
	})
	return c
}

// given returns settings, nil when they say nothing.
func given(settings []byte) []byte {
	v := jsontext.Value(slices.Clone(settings))
	if len(v) == 0 || v.Compact() == nil && (string(v) == "{}" || string(v) == "null") {
		return nil
	}
	return settings
}
