package snowflake

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signer makes the tokens of a key pair.
// Source: https://docs.snowflake.com/en/developer-guide/sql-api/authenticating
type signer struct {
	key     *rsa.PrivateKey
	subject string // ACCOUNT.USER in upper case, the account without region and cloud
	issuer  string // the same with the fingerprint of the public key

	token string
	until time.Time
}

// newSigner reads a private key. Its errors hold nothing of it, and go on after its name.
func newSigner(account, user, key string) (*signer, error) {
	k, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(strings.TrimSpace(key)))
	if err != nil {
		return nil, errors.New("is no RSA key in PEM, or has a passphrase")
	}
	public, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		return nil, errors.New("has no public key")
	}
	account, _, _ = strings.Cut(account, ".")
	sum := sha256.Sum256(public)
	subject := strings.ToUpper(account + "." + user)
	return &signer{key: k, subject: subject, issuer: subject + ".SHA256:" + base64.StdEncoding.EncodeToString(sum[:])}, nil
}

// Times of tokens: the longest that Snowflake takes is an hour.
const (
	tokenLife  = 59 * time.Minute
	tokenEarly = 5 * time.Minute
)

// at returns a token that is good now.
func (s *signer) at(now time.Time) (string, error) {
	if s.token != "" && now.Before(s.until.Add(-tokenEarly)) {
		return s.token, nil
	}
	t, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iss": s.issuer, "sub": s.subject, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix()}).SignedString(s.key)
	if err != nil {
		return "", errors.New("the token could not be signed")
	}
	s.token, s.until = t, now.Add(tokenLife)
	return t, nil
}
