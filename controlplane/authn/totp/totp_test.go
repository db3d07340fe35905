package totp

import (
	"bytes"
	"image/png"
	"strings"
	"testing"
	"time"
)

// rfc is the secret of RFC 6238, appendix B, in base32.
const rfc = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

func TestCodesAreThoseOfRFC6238(t *testing.T) {
	t.Parallel()
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 20000000000: "353130"} {
		now := time.Unix(at, 0)
		step, ok := Step(rfc, code, now, 0)
		if !ok || step != at/30 {
			t.Errorf("code %s at %d = %d, %v; want step %d", code, at, step, ok, at/30)
		}
		if _, ok := Step(rfc, code, now, step); ok {
			t.Errorf("code %s at %d is good a second time", code, at)
		}
		if _, ok := Step(rfc, code, now.Add(30*time.Second), 0); !ok {
			t.Errorf("code %s is not good 30 s later", code)
		}
		if _, ok := Step(rfc, code, now.Add(2*time.Minute), 0); ok {
			t.Errorf("code %s is good 2 min later", code)
		}
	}
	for _, code := range []string{"", "28708", "2870822", "zzzzzz"} {
		if _, ok := Step(rfc, code, time.Unix(59, 0), 0); ok || IsCode(code) {
			t.Errorf("code %q is good", code)
		}
	}
}

func TestEnrolmentsDiffer(t *testing.T) {
	t.Parallel()
	one, err := Enrol("Weir weir.example.com:8080", "ann@example.com")
	if err != nil {
		t.Fatal(err)
	}
	two, err := Enrol("Weir", "ann@example.com")
	if err != nil || one.Secret == two.Secret {
		t.Fatalf("two enrolments have one secret, %v", err)
	}
	if !strings.HasPrefix(one.URI, "otpauth://totp/") || !strings.Contains(one.URI, "secret="+one.Secret) {
		t.Errorf("URI = %s", one.URI)
	}
	if _, err := png.Decode(bytes.NewReader(one.QR)); err != nil {
		t.Errorf("the QR code is no picture: %v", err)
	}
	codes, hashes := Recovery(3, "usr_a")
	if len(codes) != 3 || Hash("usr_a", Clean(strings.ToUpper(codes[1]))) != hashes[1] || Hash("usr_b", Clean(codes[1])) == hashes[1] || IsCode(Clean(codes[0])) {
		t.Errorf("recovery codes %v are not those of their hashes", codes)
	}
}
