// Package totp makes secrets of authenticator apps and knows their one-time codes, of six
// digits and 30 seconds (RFC 6238), and the recovery codes that stand in for them.
package totp

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"image/png"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

const (
	period       = 30 // seconds; time step
	digits       = otp.DigitsSix
	skew         = 1   // time steps that a clock may be off
	side         = 240 // of the QR code, in pixels
	recoveryBits = 80
	groups       = 4 // characters of a recovery code between hyphens
)

// Enrolment is what an authenticator app is told, once.
type Enrolment struct {
	Secret string // base32
	URI    string // otpauth://
	QR     []byte // of URI, a PNG
}

// Enrol makes a secret for an account of an installation.
func Enrol(installation, account string) (Enrolment, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: installation, AccountName: account, Period: period, Digits: digits, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return Enrolment{}, fmt.Errorf("make the secret of an authenticator: %w", err)
	}
	picture, err := key.Image(side, side)
	if err != nil {
		return Enrolment{}, fmt.Errorf("draw the QR code of an authenticator: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return Enrolment{}, fmt.Errorf("draw the QR code of an authenticator: %w", err)
	}
	return Enrolment{Secret: key.Secret(), URI: key.URL(), QR: b.Bytes()}, nil
}

// Clean is a code as people type it, without spaces and hyphens, in lower case.
func Clean(code string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(code))
}

// IsCode reports whether a clean code is a one-time code by its form; else it is a
// recovery code.
func IsCode(code string) bool {
	return len(code) == digits.Length() && strings.Trim(code, "0123456789") == ""
}

// Step returns the time step of a clean code at a time, when that is later than after. The
// comparison takes the same time for every code.
func Step(secret, code string, now time.Time, after int64) (step int64, ok bool) {
	at := now.Unix() / period
	for _, s := range []int64{at - skew, at, at + skew} {
		want, err := hotp.GenerateCodeCustom(secret, uint64(s), hotp.ValidateOpts{Digits: digits, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && s > after {
			step, ok = s, true
		}
	}
	return step, ok
}

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Recovery makes n recovery codes as they are shown, abcd-efgh-ijkl-mnop, and the hashes
// by which they are known of a user.
func Recovery(n int, user string) (codes []string, hashes [][32]byte) {
	for range n {
		b := make([]byte, recoveryBits/8)
		_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
		text := letters.EncodeToString(b)
		var parts []string
		for at := 0; at < len(text); at += groups {
			parts = append(parts, text[at:at+groups])
		}
		codes, hashes = append(codes, strings.Join(parts, "-")), append(hashes, Hash(user, text))
	}
	return codes, hashes
}

// Hash is by what a user's clean recovery code is known.
func Hash(user, code string) [32]byte { return sha256.Sum256([]byte(user + "\x00" + code)) }
