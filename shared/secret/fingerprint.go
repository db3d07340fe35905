package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"golang.org/x/crypto/argon2"
)

// cost is what one Argon2id takes. Memory is in KiB.
type cost struct {
	passes, memory uint32
	lanes          uint8
}

var (
	// owasp is 19 MiB, 2 passes, 1 lane: what passwords cost here, too.
	// Source: OWASP Password Storage Cheat Sheet, section Argon2id.
	owasp = cost{2, 19 << 10, 1}
	// second is that of fingerprints in the form 2. Source: RFC 9106, section 4, second
	// recommended option.
	second = cost{3, 64 << 10, 4}
)

// Bytes of a salt and of an Argon2id, by RFC 9106.
const (
	saltBytes        = 16
	fingerprintBytes = 16
)

// Fingerprints of secrets that have a Binding begin with their form, followed by the Argon2id
// in hex, "-", and the first 16 bytes of the binding's SHA-256 in hex. Those of the first
// releases are an Argon2id alone.
const (
	form2 = "2-" // second
	form3 = "3-" // owasp
)

// Fingerprint tells a client whether a secret is still the one that was sealed:
// equal for equal values of the same field of the same object with the same
// binding, different elsewhere, so equal credentials in two places do not show. The
// version does not count. It takes 19 MiB and some 20 ms, by intent: the
// control plane stores it, and guessing from it has to cost something. It does not
// protect a secret that can be guessed in few attempts.
func Fingerprint(n Name, to Binding, clear []byte) string {
	return form3 + owasp.mark("3", n, to, clear)
}

// Same reports whether a fingerprint, also one of a release before, is that of a value.
func Same(fingerprint string, n Name, to Binding, clear []byte) bool {
	if _, same := BoundTo(fingerprint, to); !same {
		return false
	}
	made := ""
	if strings.HasPrefix(fingerprint, form2) {
		made = form2 + second.mark("2", n, to, clear)
	} else {
		made = Fingerprint(n, to, clear)
	}
	return made == fingerprint
}

// mark is a fingerprint without its form, which is salted.
func (c cost) mark(form string, n Name, to Binding, clear []byte) string {
	salt := sha256.Sum256([]byte("weir fingerprint " + form + "\x00" + string(n.Workspace) + "\x00" + n.Object + "\x00" + n.Field + "\x00" + string(to)))
	sum := argon2.IDKey(clear, salt[:saltBytes], c.passes, c.memory, c.lanes, fingerprintBytes)
	return hex.EncodeToString(sum) + "-" + digest(to)
}

// digest tells bindings apart; it hides nothing.
func digest(to Binding) string {
	sum := sha256.Sum256([]byte(to))
	return hex.EncodeToString(sum[:16])
}

// BoundTo says what a fingerprint shows of a secret's binding: whether there is one,
// and whether it is to. Whoever made the fingerprint may have lied; only Open is a proof.
func BoundTo(fingerprint string, to Binding) (is, same bool) {
	rest, is := strings.CutPrefix(fingerprint, form3)
	if !is {
		rest, is = strings.CutPrefix(fingerprint, form2)
	}
	_, of, _ := strings.Cut(rest, "-")
	return is, is && of == digest(to)
}
