// Package once answers a request that makes something, and that its caller sends again under
// the same Idempotency-Key, with the answer of the first time.
//
// It guarantees that what such a request makes is made once while its answer is kept, which is a day.
// Answers may hold a value that is shown once, so they are kept encrypted. A request that
// failed leaves its key free.
package once

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/store/idempotency"
)

// Config is what a Guard stands on. All is required.
type Config struct {
	Keys *idempotency.Keys
	// Encrypt and Decrypt are for what the database keeps.
	Encrypt func(what string, clear []byte) []byte
	Decrypt func(what string, kept []byte) ([]byte, error)
	Log     *slog.Logger
}

// Guard lets requests through once.
type Guard struct{ Config }

// LongestKey is how long an Idempotency-Key may be, in bytes.
const LongestKey = 200

// Once is next, or what it answered to the same request before. A request without a key is
// let through.
func (g Guard) Once(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		key := c.Request().Header.Get("Idempotency-Key")
		if key == "" {
			return next(c)
		}
		if len(key) > LongestKey {
			return web.Reject(http.StatusBadRequest, "an Idempotency-Key has at most %d bytes", LongestKey)
		}
		body, err := web.Read(c)
		if err != nil {
			return err
		}
		c.Request().Body = io.NopCloser(bytes.NewReader(body))
		ctx, who := c.Request().Context(), web.Actor(c).KeyOwner()
		what := "answer " + who.ID + " " + key
		request := sha256.Sum256([]byte(c.Request().Method + " " + c.Request().URL.RequestURI() + "\x00" + string(body)))
		former, answered, err := g.Keys.Claim(ctx, who, key, request)
		if err != nil {
			return err
		}
		if answered {
			clear, err := g.Decrypt(what, former.Body)
			if err != nil {
				return err
			}
			return c.JSONBlob(former.Status, clear)
		}
		heard := &recorder{ResponseWriter: c.Response().Writer}
		c.Response().Writer = heard
		err = next(c)
		answer := idempotency.Response{}
		if status := c.Response().Status; err == nil && status < http.StatusMultipleChoices {
			answer = idempotency.Response{Status: status, Body: g.Encrypt(what, heard.body.Bytes())}
		}
		// The answer is kept also when the caller has gone, or the key stays taken for a minute.
		keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), web.Deadline)
		defer cancel()
		if err := g.Keys.Answer(keep, who, key, answer); err != nil {
			g.Log.WarnContext(ctx, "answer not kept under its idempotency key", "error", err)
		}
		return err
	}
}

// recorder passes an answer on and remembers its body.
type recorder struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
