package secret_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/shared/fault"
	"weir/shared/secret"
)

var name = secret.OfDestination("ws_a", "dst_a", "headers", 2)

const place secret.Binding = "webhook url=https://a.example:443"

func newKey(t *testing.T) secret.PrivateKey {
	t.Helper()
	k, err := secret.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOnlyTheRightKeyAndNameOpenASecret(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	sealed, err := secret.Seal(key.Public(), name, place, []byte("hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := secret.Open(key, name, place, sealed); err != nil || got.Reveal() != "hunter2" {
		t.Errorf("opened %q, %v", got.Reveal(), err)
	}
	refused := func(what string, k secret.PrivateKey, n secret.Name, s secret.Sealed) {
		t.Helper()
		if got, err := secret.Open(k, n, place, s); err == nil || fault.KindOf(err) != fault.Invalid || got.Reveal() != "" {
			t.Errorf("%s: opened %q, %v, want Invalid", what, got.Reveal(), err)
		}
	}
	refused("another plane's key", newKey(t), name, sealed)
	for what, n := range map[string]secret.Name{
		"workspace":   secret.OfDestination("ws_b", "dst_a", "headers", 2),
		"destination": secret.OfDestination("ws_a", "dst_b", "headers", 2),
		"family":      secret.OfSource("ws_a", "dst_a", "headers", 2),
		"no family":   {Workspace: "ws_a", Object: "dst_a", Field: "headers", Version: 2},
		"field":       secret.OfDestination("ws_a", "dst_a", "header", 2),
		"version":     secret.OfDestination("ws_a", "dst_a", "headers", 3),
		"no version":  secret.OfDestination("ws_a", "dst_a", "headers", 0),
		"no name":     {},
	} {
		refused("another "+what, key, n, sealed)
	}
	for _, to := range []secret.Binding{"", "webhook", "webhook url=http://a.example:80", place + "0", place + "\x00"} {
		if got, err := secret.Open(key, name, to, sealed); err == nil || fault.KindOf(err) != fault.Invalid || got.Reveal() != "" {
			t.Errorf("for %q: opened %q, %v, want Invalid", to, got.Reveal(), err)
		}
	}
	if got, err := secret.OpenUnbound(key, name, sealed); err == nil || got.Reveal() != "" {
		t.Errorf("for no place: opened %q, %v", got.Reveal(), err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		refused(fmt.Sprintf("byte %d changed", i), key, name, changed)
	}
	for n := range len(sealed) {
		refused(fmt.Sprintf("cut to %d bytes", n), key, name, sealed[:n])
	}
	if _, err := secret.Seal(key.Public(), name, place, make([]byte, secret.MaxClear+1)); err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("a secret that is too long: %v, want Invalid", err)
	}
	if _, err := secret.Seal(nil, name, place, nil); err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("no key to seal to: %v, want Invalid", err)
	}
}

func TestAnEnvelopeOfAnEarlierReleaseOpens(t *testing.T) {
	t.Parallel()
	// Made by the same code once and kept: what was sealed by one release opens
	// in the next. Key, then envelope.
	v := kept(t)
	raw, _ := hex.DecodeString(v.Key)
	key, err := secret.ParsePrivate(raw)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := hex.DecodeString(v.Envelope)
	if got, err := secret.OpenUnbound(key, name, sealed); err != nil || got.Reveal() != `{"Authorization":"hunter2"}` {
		t.Errorf("opened %q, %v", got.Reveal(), err)
	}
	sealed, _ = hex.DecodeString(v.Bound)
	if got, err := secret.Open(key, name, place, sealed); err != nil || got.Reveal() != `{"Authorization":"hunter2"}` {
		t.Errorf("bound: opened %q, %v", got.Reveal(), err)
	}
}

func TestKeysComeBackFromTheirEncoding(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	b, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := secret.ParsePrivate(b)
	if err != nil || !bytes.Equal(again.Public(), key.Public()) {
		t.Errorf("the private key came back as another one, %v", err)
	}
	public, err := secret.ParsePublic(key.Public().String())
	if err != nil || !bytes.Equal(public, key.Public()) {
		t.Errorf("the public key came back as another one, %v", err)
	}
	j, err := json.Marshal(key.Public())
	if err != nil || string(j) != `"`+key.Public().String()+`"` {
		t.Errorf("the public key is %s in JSON, %v", j, err)
	}
	for _, bad := range []string{"", "AAAA", "not base64!"} {
		if _, err := secret.ParsePublic(bad); err == nil {
			t.Errorf("%q was read as a key", bad)
		}
	}
	if _, err := secret.ParsePrivate([]byte("short")); err == nil {
		t.Error("5 bytes were read as a private key")
	}
}

func TestSecretsAndKeysPrintAsStars(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	type outer struct {
		Public  secret.String
		private secret.String
		Key     secret.PrivateKey
		key     secret.PrivateKey
		List    []secret.String
		Map     map[string]secret.String
	}
	s := secret.NewString("hunter2")
	values := []any{s, &s, key, &key, outer{s, s, key, key, []secret.String{s}, map[string]secret.String{"a": s}}, &outer{Public: s, private: s, key: key}}
	var texts []string
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			texts = append(texts, fmt.Sprintf(verb, v))
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		texts = append(texts, string(b), out.String())
	}
	for _, text := range texts {
		for _, mark := range []string{"hunter2", "68756e74657232", hex.EncodeToString(raw), string(raw), strings.Trim(fmt.Sprint(raw[:4]), "[]")} {
			if strings.Contains(text, mark) {
				t.Errorf("a secret shows in %q", text)
			}
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s); text != "*** *** *** *** ***" {
		t.Errorf("a secret prints as %q", text)
	}
	if (secret.String{}).Reveal() != "" {
		t.Error("the zero String is not empty")
	}
}

func TestFingerprintsTellUnchangedAndNothingElse(t *testing.T) {
	t.Parallel()
	first := secret.Fingerprint(name, place, []byte("hunter2"))
	later := name
	later.Version = 9
	if got := secret.Fingerprint(later, place, []byte("hunter2")); got != first {
		t.Errorf("the same value in another version: %s, want %s", got, first)
	}
	if want := kept(t).Fingerprint; first != want {
		t.Errorf("Fingerprint = %s, want %s as in all releases", first, want)
	}
	elsewhere := name
	elsewhere.Object = "dst_b"
	for what, got := range map[string]string{
		"another value":       secret.Fingerprint(name, place, []byte("hunter3")),
		"another place":       secret.Fingerprint(name, "webhook url=https://b.example:443", []byte("hunter2")),
		"another destination": secret.Fingerprint(elsewhere, place, []byte("hunter2")),
	} {
		if got == first {
			t.Errorf("%s has the same fingerprint", what)
		}
	}
	for of, want := range map[string][2]bool{first: {true, true}, secret.Fingerprint(name, "hook", []byte("hunter2")): {true, false}, kept(t).Fingerprint2: {true, true}, "b0e5bb44e7b6fc9131d6e002b5a885a2": {false, false}, "": {false, false}, "2-": {true, false}, "3-": {true, false}} {
		if is, same := secret.BoundTo(of, place); is != want[0] || same != want[1] {
			t.Errorf("BoundTo(%q) = %v, %v, want %v", of, is, same, want)
		}
	}
}

func TestFingerprintsOfReleasesBeforeAreRead(t *testing.T) {
	t.Parallel()
	for _, mark := range []string{kept(t).Fingerprint, kept(t).Fingerprint2} {
		for value, want := range map[string]bool{"hunter2": true, "hunter3": false} {
			if got := secret.Same(mark, name, place, []byte(value)); got != want {
				t.Errorf("Same(%s, %s) = %v", mark, value, got)
			}
		}
		if secret.Same(mark, name, "webhook url=https://b.example:443", []byte("hunter2")) {
			t.Errorf("%s is that of another place", mark)
		}
	}
	if secret.Same("b0e5bb44e7b6fc9131d6e002b5a885a2", name, place, []byte("hunter2")) || secret.Same("", name, place, []byte("hunter2")) {
		t.Error("a fingerprint without a place is that of one")
	}
}

// kept holds envelopes, before bindings and with one, their key and a fingerprint that
// were made once, and one of the form before. The console's test reads the same file.
func kept(t *testing.T) (v struct{ Key, Envelope, Bound, Fingerprint, Fingerprint2 string }) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "kept.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestASecretSealedBeforeThereWereFamiliesOpensAsADestinationsAlone(t *testing.T) {
	key := newKey(t)
	sealed, err := secret.SealTo(key.Public(), []byte("ws_a"), []byte("weir secret 1\x00dst_a\x00headers\x002"), []byte("v"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := secret.OpenUnbound(key, name, sealed); err != nil || got.Reveal() != "v" {
		t.Errorf("Open(%+v) = %q, %v, want v", name, got.Reveal(), err)
	}
	sealed, err = secret.SealTo(key.Public(), []byte("ws_a"), []byte("weir secret 1\x00src_a\x00headers\x002"), []byte("v"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := secret.OpenUnbound(key, secret.OfSource("ws_a", "src_a", "headers", 2), sealed); err == nil {
		t.Error("a source's secret opened in the form of before families")
	}
}
