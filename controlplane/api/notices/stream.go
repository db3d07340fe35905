package notices

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/policy"
	"weir/controlplane/policy/action"
	"weir/controlplane/store"
	"weir/shared/id"
)

// stream is one answer that goes on.
type stream struct {
	*Handlers
	c    echo.Context
	ctx  context.Context
	l    *listener
	out  *http.ResponseController
	told map[string]uint64 // the newest row of the organization, and of the installation
}

// Stream tells the caller what changes in the request's organization, until the caller
// leaves or may not listen any more.
func (h *Handlers) Stream(c echo.Context) error {
	ctx, cancel := context.WithTimeout(web.Lasting(c), longest)
	defer cancel()
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	newest, err := h.Store.Audit().Newest(ctx, "", string(org))
	if err != nil {
		return err
	}
	l := &listener{caller: cmp.Or(web.Actor(c).Owner, web.Actor(c).ID), organization: string(org), wake: make(chan struct{}, 1), over: make(chan struct{})}
	s := &stream{Handlers: h, c: c, ctx: ctx, l: l, out: http.NewResponseController(c.Response())}
	if s.told, err = h.join(l, newest); err != nil {
		return err
	}
	defer h.leave(l)
	// The server's deadlines are those of short answers.
	if err := s.out.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("begin a stream of notices: %w", err)
	}
	head := c.Response().Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("X-Accel-Buffering", "no") // proxies that know it pass on each notice at once
	c.Response().WriteHeader(http.StatusOK)
	if s.begin(newest) == nil {
		s.follow()
	}
	return nil // what was begun has no other end
}

// begin goes on behind the caller's Last-Event-ID, or says that everything is to be asked for.
func (s *stream) begin(newest map[string]uint64) error {
	var last [2]uint64
	_, err := fmt.Sscanf(s.c.Request().Header.Get("Last-Event-ID"), "%d-%d", &last[0], &last[1])
	if err != nil {
		return s.send([]Notice{{Kind: Sync}})
	}
	var missed []change
	for i, org := range []string{s.l.organization, ""} {
		if last[i] > newest[org] || s.told[org] > last[i]+atOnce {
			return s.send([]Notice{{Kind: Sync}})
		}
		if last[i] >= s.told[org] {
			s.told[org] = last[i] // another control plane is ahead of this one
			continue
		}
		rows, err := s.Store.Audit().After(s.ctx, org, last[i], int(s.told[org]-last[i]))
		if err != nil {
			return err
		}
		list, err := s.entries(s.ctx, rows)
		if err != nil {
			return err
		}
		missed = append(missed, list...)
	}
	who, err := s.Known(s.c)
	if err != nil {
		return err
	}
	// What planes say is no row: all of it may have changed.
	return s.send(append(s.notices(who, missed), Notice{Kind: Status}))
}

// follow tells of what changes until that ends.
func (s *stream) follow() {
	life := time.NewTicker(quiet)
	defer life.Stop()
	for {
		alive := false
		select {
		case <-s.ctx.Done():
			return
		case <-s.l.over:
			return
		case <-life.C:
			alive = true
		case <-s.l.wake:
		}
		who, err := s.Known(s.c)
		if err != nil {
			return
		}
		if s.Policy.Allow(s.ctx, web.SubjectOf(who), action.ReadStatus, policy.Resource{}) != nil {
			return
		}
		list, missed := s.l.take()
		tell := s.notices(who, list)
		if missed {
			tell = []Notice{{Kind: Sync}}
			for org := range s.told {
				s.told[org] = s.through(org)
			}
		}
		if len(tell) > 0 || alive {
			if s.send(tell) != nil {
				return
			}
		}
		select {
		case <-s.ctx.Done():
		case <-s.l.over:
		case <-time.After(apart): // what comes close together is told at once
		}
	}
}

// send writes notices, the last with the place behind all; without any the place alone, as a sign of life.
func (s *stream) send(list []Notice) error {
	var b strings.Builder
	for i, n := range list {
		text, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("encode a notice: %w", err)
		}
		if i == len(list)-1 {
			fmt.Fprintf(&b, "id: %d-%d\n", s.told[s.l.organization], s.told[""])
		}
		fmt.Fprintf(&b, "data: %s\n\n", text)
	}
	if len(list) == 0 {
		fmt.Fprintf(&b, "id: %d-%d\n\n", s.told[s.l.organization], s.told[""])
	}
	if err := s.out.SetWriteDeadline(time.Now().Add(quiet)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("send notices: %w", err)
	}
	if _, err := s.c.Response().Write([]byte(b.String())); err != nil {
		return fmt.Errorf("send notices: %w", err)
	}
	if err := s.out.Flush(); err != nil {
		return fmt.Errorf("send notices: %w", err)
	}
	return nil
}

// mostApart is how many workspaces one answer tells of by name: of more it says that any
// may have changed.
const mostApart = 50

// notices are what who may be told of list, each once, the newest of it.
func (s *stream) notices(who store.Actor, list []change) []Notice {
	subject := web.SubjectOf(who)
	may := func(action policy.Action, ws id.Workspace) bool {
		return s.Policy.Allow(s.ctx, subject, action, policy.Resource{Organization: s.l.organization, Workspace: string(ws)}) == nil
	}
	type key struct {
		kind Kind
		of   string
	}
	latest := map[key]Notice{}
	var order []key
	add := func(n Notice) {
		k := key{n.Kind, string(n.WorkspaceID) + string(n.Plane)}
		if former, ok := latest[k]; !ok {
			order = append(order, k)
		} else if n.State == nil {
			n.State = former.State
		}
		latest[k] = n
	}
	for _, c := range list {
		if c.number > 0 && c.number <= s.told[c.organization] {
			continue // told before the stream broke off
		}
		if c.number > 0 {
			s.told[c.organization] = c.number
		}
		if n, ok := s.notice(c, who, may); ok {
			add(n)
		}
		if c.number > 0 && c.organization != "" && c.kind != Audit && may(action.ReadAudit, "") {
			add(Notice{Kind: Audit})
		}
	}
	out := make([]Notice, 0, len(order))
	named := 0
	for _, k := range order {
		if k.kind == Status {
			if named++; named > mostApart {
				continue
			}
		}
		out = append(out, latest[k])
	}
	if named > mostApart {
		out = append(out, Notice{Kind: Status})
	}
	return out
}

// notice is c for who, if he may know of it.
func (s *stream) notice(c change, who store.Actor, may func(policy.Action, id.Workspace) bool) (Notice, bool) {
	mine := c.subject != "" && (c.subject == who.ID || c.subject == who.Owner)
	switch c.kind {
	case Workspace:
		return Notice{Kind: c.kind, Workspace: c.name, WorkspaceID: c.workspace, Number: c.revision, Deleted: c.deleted}, may(action.ReadWorkspace, c.workspace)
	case Status:
		return Notice{Kind: c.kind, Workspace: c.name, WorkspaceID: c.workspace}, c.workspace == "" || may(action.ReadWorkspace, c.workspace)
	case Plane:
		n := Notice{Kind: c.kind, Plane: c.plane}
		if c.state != nil {
			state := *c.state
			for _, a := range c.alarms {
				if a.Workspace == "" || a.organization == s.l.organization && may(action.ReadWorkspace, a.Workspace) {
					state.Alarms = append(state.Alarms, a.Alarm)
				}
			}
			n.State = &state
		}
		return n, (c.owner == "" || c.owner == s.l.organization) && s.Policy.Allow(s.ctx, web.SubjectOf(who), action.ReadPlanes, policy.Resource{}) == nil
	case Members, Tokens:
		if c.kind == Members && mine {
			return Notice{Kind: Me}, true
		}
		return Notice{Kind: c.kind}, mine || c.organization != "" && may(c.action, "")
	}
	return Notice{Kind: Audit}, c.organization != "" && may(action.ReadAudit, "")
}
