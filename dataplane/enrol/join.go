package enrol

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/shared/durable"
	"weir/shared/fault"
	"weir/shared/wire"
)

// Config is how a plane joins. GatewayURL and ViewURL may be empty.
type Config struct {
	Control string // URL of the control plane
	Token   string // the invitation
	DataDir string // made when absent
	Name    string // 1 to 64 of a-z, 0-9 and '-'

	GatewayURL, ViewURL string      // where people and browsers reach the plane
	Version             string      // of the software, semantic
	Kinds               []wire.Kind // what the plane can run
}

// joinTimeout bounds the one call to the control plane.
const joinTimeout = 30 * time.Second

// Join makes the plane's keys in DataDir, enrols it with the token, and keeps
// what the control plane said: the hub, and the keys that are pinned from now
// on. Private keys do not leave the directory. A join that failed half way may
// be repeated with the same token.
//
// fault.Conflict: DataDir holds a plane already. fault.Denied: the token is
// none, or over. fault.Unavailable: the control plane does not answer.
func Join(ctx context.Context, cfg Config) error {
	if cfg.DataDir == "" || cfg.Control == "" || cfg.Token == "" {
		return fault.New(fault.Invalid, "A plane joins with a data directory, a control plane's URL and a token.")
	}
	if Joined(cfg.DataDir) {
		return fault.New(fault.Conflict, "%s holds a plane that has joined already.", cfg.DataDir)
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	k, err := LoadKeys(cfg.DataDir)
	if err != nil {
		return err
	}
	a, err := enrol(ctx, cfg, k)
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	a.Reach = &Reach{Gateway: cfg.GatewayURL, View: cfg.ViewURL}
	content, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fault.New(fault.Internal, "What the control plane said cannot be kept: %v.", err)
	}
	return durable.WriteFile(filepath.Join(cfg.DataDir, planeFile), append(content, '\n'), 0o600)
}

// enrol asks the control plane to admit the plane.
func enrol(ctx context.Context, cfg Config, k Keys) (Admission, error) {
	var a Admission
	u, err := url.Parse(strings.TrimRight(cfg.Control, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return a, fault.New(fault.Invalid, "%q is not the URL of a control plane.", cfg.Control)
	}
	body, err := json.Marshal(struct {
		Token               string      `json:"token"`
		Name                string      `json:"name"`
		IdentityKey         []byte      `json:"identityKey"`
		SealingKey          []byte      `json:"sealingKey"`
		SealingKeySignature []byte      `json:"sealingKeySignature"`
		NATSKey             string      `json:"natsKey"`
		GatewayURL          string      `json:"gatewayUrl"`
		ViewURL             string      `json:"viewUrl"`
		Version             string      `json:"version"`
		Kinds               []wire.Kind `json:"kinds"`
	}{cfg.Token, cfg.Name, k.Identity.Public().(ed25519.PublicKey), k.Sealing.Public(), k.signSealing(), k.natsKey,
		cfg.GatewayURL, cfg.ViewURL, cfg.Version, cfg.Kinds})
	if err != nil {
		return a, fault.New(fault.Internal, "The application cannot be written: %v.", err)
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String()+"/api/v1/planes/join", bytes.NewReader(body))
	if err != nil {
		return a, fault.New(fault.Invalid, "%q is not the URL of a control plane.", cfg.Control)
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return a, fault.New(fault.Unavailable, "The control plane at %s does not answer.", u)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return a, fault.New(fault.Unavailable, "The answer of the control plane at %s broke off.", u)
	}
	if res.StatusCode/100 != 2 {
		return a, refused(res.StatusCode, answer)
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return a, fault.New(fault.Unavailable, "What answers at %s is not a control plane.", u)
	}
	return a, a.check()
}

// refused turns the control plane's refusal into an error.
func refused(status int, answer []byte) error {
	var p struct {
		Detail   string          `json:"detail"`
		Problems []fault.Problem `json:"problems"`
	}
	if json.Unmarshal(answer, &p) != nil || p.Detail == "" {
		p.Detail = fmt.Sprintf("The control plane answered %d.", status)
	}
	kind := fault.Unavailable
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		kind = fault.Denied
	case http.StatusConflict:
		kind = fault.Conflict
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusNotFound:
		kind = fault.Invalid
	}
	return &fault.Error{Kind: kind, Text: p.Detail, Problems: p.Problems}
}
