package web

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Limits of one request.
const (
	mostBody     = 8 << 20          // bytes
	mostOpenBody = 64 << 10         // bytes, where the caller is not known
	Deadline     = 30 * time.Second // from when it came
)

// Headers sets what every answer has.
func Headers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set(requestID, "req_"+strings.ToLower(rand.Text()))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		return next(c)
	}
}

// lastingKey is the key, in echo's context, of the context of a request whose answer lasts.
const lastingKey = "weir.lasting"

// Lasting is the context of a request that takes as long as its caller waits.
func Lasting(c echo.Context) context.Context {
	if ctx, ok := c.Get(lastingKey).(context.Context); ok {
		return ctx
	}
	return c.Request().Context()
}

// Bounded limits the body and the time of a request.
func Bounded(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(lastingKey, c.Request().Context())
		ctx, cancel := context.WithTimeout(c.Request().Context(), Deadline)
		defer cancel()
		r := c.Request().WithContext(ctx)
		r.Body = http.MaxBytesReader(c.Response(), r.Body, mostBody)
		c.SetRequest(r)
		return next(c)
	}
}

// BoundStranger limits the body of a request whose caller is not known further.
func BoundStranger(c echo.Context) {
	req := c.Request()
	req.Body = http.MaxBytesReader(c.Response(), req.Body, mostOpenBody)
}
