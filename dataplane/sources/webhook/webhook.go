// Package webhook is the source for systems that call when something happens.
// The gateway makes any body of /v1/webhook a track before it comes here, so the
// kind takes calls like every other. See ingest.Calls.
//
// With a signing key only requests are taken whose body is signed with it; the
// write key stands in many addresses and is no secret.
package webhook

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"

	"weir/dataplane/ingest"
)

//go:embed spec.yaml
var spec []byte

// Kind is the source kind webhook.
var Kind = ingest.DefineOpened(spec, ingest.Calls(), open)

func open(s Settings) (ingest.Opened, error) {
	key := []byte(s.Secrets.SigningKey.Reveal())
	if len(key) == 0 {
		return ingest.Opened{}, nil
	}
	how := SettingsSignature{Header: "X-Signature", Hash: "sha256", Encoding: "hex"}
	if s.Signature != nil {
		how = *s.Signature
	}
	return ingest.Opened{Verify: func(h http.Header, body []byte) bool {
		text, ok := strings.CutPrefix(h.Get(how.Header), how.Prefix)
		if !ok || text == "" {
			return false
		}
		claimed, err := decode(how.Encoding, text)
		if err != nil {
			return false
		}
		mac := hmac.New(hashOf(how.Hash), key)
		mac.Write(body)
		return hmac.Equal(claimed, mac.Sum(nil))
	}}, nil
}

func decode(encoding, text string) ([]byte, error) {
	if encoding == "base64" {
		return base64.StdEncoding.DecodeString(text)
	}
	return hex.DecodeString(text)
}

func hashOf(name string) func() hash.Hash {
	switch name {
	case "sha1": // HMAC-SHA-1 is unbroken, and some senders have nothing else
		return sha1.New
	case "sha512":
		return sha512.New
	}
	return sha256.New
}
