// Package serviceaccount reads the keys of Google's service accounts, and makes the
// assertions by which access tokens are asked for with one.
//
// Sources: https://developers.google.com/identity/protocols/oauth2/service-account#httprest,
// RFC 7523 section 2.1.
package serviceaccount

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Grant is the grant_type of requests that hold an assertion.
const Grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// life is how long an assertion is good for, the longest that Google takes.
const life = time.Hour

// Account is a service account with its key.
type Account struct {
	TokenURL string // where tokens are asked for
	email    string
	keyID    string
	key      *rsa.PrivateKey
}

// Parse reads the JSON file of a service account's key. Its errors hold nothing of the
// file, and go on after "credentials".
func Parse(text string) (Account, error) {
	var file struct {
		Type     string `json:"type"`
		Email    string `json:"client_email"`
		Key      string `json:"private_key"`
		KeyID    string `json:"private_key_id"`
		TokenURL string `json:"token_uri"`
	}
	if err := json.Unmarshal([]byte(text), &file); err != nil {
		return Account{}, errors.New("is not the JSON file of a service account's key")
	}
	u, err := url.Parse(file.TokenURL)
	switch {
	case file.Type != "service_account":
		return Account{}, errors.New("has another type than service_account")
	case file.Email == "":
		return Account{}, errors.New("has no client_email")
	case err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http":
		return Account{}, errors.New("has no token_uri that is an address")
	}
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(file.Key))
	if err != nil {
		return Account{}, errors.New("has no private_key that is an RSA key in PEM")
	}
	return Account{TokenURL: file.TokenURL, email: file.Email, keyID: file.KeyID, key: key}, nil
}

// Assertion says, signed, that the account asks for a token with these scopes, which have
// spaces between them.
func (a Account) Assertion(scope string, now time.Time) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": a.email, "scope": scope, "aud": a.TokenURL, "iat": now.Unix(), "exp": now.Add(life).Unix(),
	})
	if a.keyID != "" {
		t.Header["kid"] = a.keyID
	}
	return t.SignedString(a.key)
}
