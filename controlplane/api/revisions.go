package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/draft"
	"weir/controlplane/store"
	"weir/controlplane/store/idempotency"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
)

func (a *API) apply(c echo.Context) error {
	base, err := web.IfMatch(c)
	if err != nil {
		return err
	}
	body, err := web.Read(c)
	if err != nil {
		return err
	}
	p, err := proposal(c, body)
	if err != nil {
		return err
	}
	return a.once(c, "apply", p, base, body, func() (draft.Committed, error) {
		return a.cfg.Draft.Commit(c.Request().Context(), actor(c), p, base)
	})
}

// rollback makes a former revision the next one.
func (a *API) rollback(c echo.Context) error {
	base, err := web.IfMatch(c)
	if err != nil {
		return err
	}
	body, err := web.Read(c)
	if err != nil {
		return err
	}
	var in struct {
		To            uint64 `json:"to"`
		Reason        string `json:"reason"`
		DiscardParked bool   `json:"discardParked"`
	}
	if err := web.Parse(body, &in); err != nil {
		return err
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	p := draft.Proposal{Organization: org, Name: c.Param("name"), DiscardParked: in.DiscardParked, Reason: in.Reason}
	return a.once(c, "rollback", p, base, body, func() (draft.Committed, error) {
		return a.cfg.Draft.Rollback(c.Request().Context(), actor(c), p, in.To, base)
	})
}

// longestKey is the longest idempotency key, in bytes.
const longestKey = 200

// once commits and answers, or gives the former answer to a request with the same
// idempotency key again. What and body tell requests apart.
func (a *API) once(c echo.Context, what string, p draft.Proposal, base uint64, body []byte, commit func() (draft.Committed, error)) error {
	ctx := c.Request().Context()
	key := c.Request().Header.Get("Idempotency-Key")
	if len(key) > longestKey {
		return web.Reject(http.StatusBadRequest, "an Idempotency-Key has at most %d bytes", longestKey)
	}
	if key != "" {
		request := sha256.Sum256([]byte(what + "\x00" + string(p.Organization) + "\x00" + p.Name + "\x00" + web.ETag(base) + "\x00" + string(body)))
		former, answered, err := a.cfg.Store.Keys().Claim(ctx, actor(c).KeyOwner(), key, request)
		if err != nil {
			return err
		}
		if answered {
			c.Response().Header().Set("ETag", former.ETag)
			return c.JSONBlob(former.Status, former.Body)
		}
	}
	answer, err := committed(commit())
	if key != "" {
		// The answer is kept also when the caller has gone, or the key stays taken
		// for a minute. A failure leaves the key free to be tried again.
		keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), web.Deadline)
		defer cancel()
		if err := a.cfg.Store.Keys().Answer(keep, actor(c).KeyOwner(), key, answer); err != nil {
			a.log.WarnContext(ctx, "answer not kept under its idempotency key", "error", err)
		}
	}
	if err != nil {
		return web.Matched(base, a.meanwhile(ctx, p, base, err))
	}
	c.Response().Header().Set("ETag", answer.ETag)
	return c.JSONBlob(answer.Status, answer.Body)
}

// mostMeanwhile is how many revisions of others an answer tells of.
const mostMeanwhile = 20

// meanwhile adds to a Conflict what others committed after base: in words, for who reads
// the sentence alone, and as revisions.
func (a *API) meanwhile(ctx context.Context, p draft.Proposal, base uint64, err error) error {
	var known *fault.Error
	if base == draft.Unconditional || !errors.As(err, &known) || known.Kind != fault.Conflict {
		return err
	}
	var list []store.Revision
	ws, failed := a.cfg.Store.WorkspaceByName(ctx, p.Organization, p.Name)
	if failed == nil {
		list, failed = a.cfg.Store.Revisions(ctx, ws.ID, 0, mostMeanwhile)
	}
	var others []revision
	text := known.Text
	for _, r := range list {
		if r.Number > base {
			others = append(others, revisionOf(r))
			text += fmt.Sprintf("; revision %d by %s: %s", r.Number, r.By, described(r))
		}
	}
	if failed != nil || len(others) == 0 {
		return err // it says enough
	}
	return web.Overtaken(fault.New(fault.Conflict, "%s", text), others)
}

// described is what a revision changed and why, in words.
func described(r store.Revision) string {
	var changes []draft.Change
	if len(r.Changes) == 0 || json.Unmarshal(r.Changes, &changes) != nil {
		return "changes were not kept"
	}
	words := make([]string, 0, len(changes))
	for _, c := range changes {
		word := fmt.Sprintf("%s %s %s", c.Op, c.Kind, c.Name)
		if len(c.Fields) > 0 {
			word += " (" + strings.Join(c.Fields, ", ") + ")"
		}
		words = append(words, word)
	}
	const most = 5
	if more := len(words) - most; more > 0 {
		words = append(words[:most], fmt.Sprintf("and %d more", more))
	}
	if r.Reason != "" {
		words = append(words, strconv.Quote(r.Reason))
	}
	return strings.Join(words, ", ")
}

// committed is the answer to a commit; the zero Response with an error.
func committed(done draft.Committed, err error) (idempotency.Response, error) {
	if err != nil {
		return idempotency.Response{}, err
	}
	body, err := json.Marshal(struct {
		Workspace id.Workspace   `json:"workspace"`
		Number    uint64         `json:"number"`
		Changes   []draft.Change `json:"changes"`
		Waits     *waits         `json:"waits,omitempty"`
	}{done.Workspace, done.Number, done.Changes, waitsOf(done)})
	if err != nil {
		return idempotency.Response{}, err
	}
	if done.Waits != nil {
		return idempotency.Response{Status: http.StatusAccepted, ETag: web.ETag(done.Number), Body: body}, nil
	}
	return idempotency.Response{Status: http.StatusOK, ETag: web.ETag(done.Number), Body: body}, nil
}

// waits is a change request that a commit became.
type waits struct {
	Change uint64          `json:"change"`
	Needs  json.RawMessage `json:"needs"`
}

func waitsOf(done draft.Committed) *waits {
	if done.Waits == nil {
		return nil
	}
	return &waits{done.Waits.Number, done.Waits.Needs}
}

// revision is a revision as a list shows it.
type revision struct {
	Number  uint64           `json:"number"`
	Digest  workspace.Digest `json:"digest"`
	At      time.Time        `json:"at"`
	By      string           `json:"by"`
	Second  string           `json:"approvedBy,omitempty"`
	Reason  string           `json:"reason"`
	Changes json.RawMessage  `json:"changes"` // null where it was not kept
}

func revisionOf(r store.Revision) revision {
	out := revision{r.Number, r.Digest, r.At, r.By, r.ApprovedBy, r.Reason, r.Changes}
	if len(out.Changes) == 0 {
		out.Changes = json.RawMessage("null")
	}
	return out
}

func (a *API) revisions(c echo.Context) error {
	ctx := c.Request().Context()
	below, limit, err := web.Page(c)
	if err != nil {
		return err
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	ws, err := a.cfg.Store.WorkspaceByName(ctx, org, c.Param("name"))
	if err != nil {
		return err
	}
	list, err := a.cfg.Store.Revisions(ctx, ws.ID, below, limit)
	if err != nil {
		return err
	}
	out := struct {
		Revisions []revision `json:"revisions"`
		Next      string     `json:"next"`
	}{Revisions: make([]revision, len(list))}
	for i, r := range list {
		out.Revisions[i] = revisionOf(r)
		out.Next = web.Next(len(list), limit, r.Number)
	}
	return c.JSON(http.StatusOK, out)
}

// revision shows one revision and what it changed.
func (a *API) revision(c echo.Context) error {
	ctx := c.Request().Context()
	number, err := strconv.ParseUint(c.Param("number"), 10, 63)
	if err != nil {
		return web.Reject(http.StatusBadRequest, "a revision is named by its number")
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	ws, err := a.cfg.Store.WorkspaceByName(ctx, org, c.Param("name"))
	if err != nil {
		return err
	}
	past, err := a.cfg.Draft.Past(ctx, ws.ID, number)
	if err != nil {
		return err
	}
	changes, err := json.Marshal(past.Changes)
	if err != nil {
		return fmt.Errorf("encode what changed: %w", err)
	}
	out := struct {
		revision
		Former uint64 `json:"former"`
		Before any    `json:"before"`
		After  any    `json:"after"`
	}{revisionOf(past.Revision), past.Former, past.Before, past.After}
	out.Changes = changes
	return c.JSON(http.StatusOK, out)
}
