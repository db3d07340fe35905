package workspace

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

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

// sorted returns a copy of c in canonical order: of each kind by key, which is
// the order of what the key is made of, since no identifier has a space.
func sorted(c Config) Config {
	if c.Format == 0 {
		c.Format = Format
	}
	for _, list := range lists(&c) {
		keys, order := make([]string, list.Len()), make([]int, list.Len())
		for i := range order {
			keys[i], order[i] = list.Index(i).Interface().(Object).Key(), i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(keys[a], keys[b]) })
		all := reflect.MakeSlice(list.Type(), len(order), len(order))
		for i, from := range order {
			all.Index(i).Set(list.Index(from))
			if settings := all.Index(i).FieldByName("Settings"); settings.IsValid() {
				settings.SetBytes(given(settings.Bytes()))
			}
		}
		list.Set(all)
	}
	return c
}

// lists yields the list of each kind of object and its field in Config.
func lists(c *Config) iter.Seq2[reflect.StructField, reflect.Value] {
	return func(yield func(reflect.StructField, reflect.Value) bool) {
		v := reflect.ValueOf(c).Elem()
		for i := range v.NumField() {
			if v.Field(i).Kind() == reflect.Slice && !yield(v.Type().Field(i), v.Field(i)) {
				return
			}
		}
	}
}

// Holds reports whether an object of any kind is known by key.
func (c Config) Holds(key string) bool {
	for _, list := range lists(&c) {
		for i := range list.Len() {
			if o, ok := list.Index(i).Interface().(Object); ok && o.Key() == key {
				return true
			}
		}
	}
	return false
}

// key is a field's name in the encoding.
func key(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// given returns settings, nil when they say nothing.
func given(settings []byte) []byte {
	v := jsontext.Value(slices.Clone(settings))
	if len(v) == 0 || v.Compact() == nil && (string(v) == "{}" || string(v) == "null") {
		return nil
	}
	return settings
}
