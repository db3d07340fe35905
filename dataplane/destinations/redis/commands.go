package redis

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
)

// codeUnsupported is what this kind shares with others.
const codeUnsupported = "unsupported_event"

// add adds an item's commands to a transaction, or returns the code for which there are
// none.
func (s *server) add(ctx context.Context, tx redis.Pipeliner, item *destination.Item, commands *[]redis.Cmder) (code string) {
	e, key := &item.Event, s.key(item)
	done := func(c redis.Cmder) { *commands = append(*commands, c) }
	switch s.settings.Mode {
	case "list":
		done(tx.RPush(ctx, key, item.Body()))
		if most := s.settings.MaxLength; most > 0 {
			done(tx.LTrim(ctx, key, -most, -1))
		}
	case "channel":
		done(tx.Publish(ctx, key, item.Body()))
	case "hash":
		return s.traits(ctx, tx, item, done)
	default:
		done(tx.XAdd(ctx, &redis.XAddArgs{Stream: key, MaxLen: s.settings.MaxLength, Approx: s.settings.MaxLength > 0, Values: []any{
			"messageId", string(e.MessageID), "type", e.Type, "user", e.User, "event", item.Body(),
		}}))
	}
	return ""
}

// traits adds the commands for the traits of a user: null removes one, texts are written
// bare and all else as JSON.
func (s *server) traits(ctx context.Context, tx redis.Pipeliner, item *destination.Item, done func(redis.Cmder)) (code string) {
	given := item.Fields()
	user := given.UserID.Text()
	switch {
	case item.Event.Type != "identify":
		return codeUnsupported
	case user == "":
		return CodeNoUser
	}
	var traits map[string]json.RawMessage
	if json.Unmarshal(given.Traits, &traits) != nil || len(traits) == 0 {
		return CodeNoTraits
	}
	var set []any
	var remove []string
	for _, name := range slices.Sorted(maps.Keys(traits)) {
		v := fields.Value(traits[name])
		switch {
		case string(v) == "null":
			remove = append(remove, name)
		case v.IsText():
			set = append(set, name, v.Text())
		default:
			set = append(set, name, []byte(v))
		}
	}
	key := s.key(item) + user
	if len(set) > 0 {
		done(tx.HSet(ctx, key, set...))
	}
	if len(remove) > 0 {
		done(tx.HDel(ctx, key, remove...))
	}
	if keep := s.settings.Expire.Std(); keep > 0 {
		done(tx.PExpire(ctx, key, keep))
	}
	return ""
}

// key fills in the setting key.
func (s *server) key(item *destination.Item) string {
	if !strings.Contains(s.settings.Key, "{") {
		return s.settings.Key
	}
	e := &item.Event
	return strings.NewReplacer("{event}", item.Fields().Name.Text(), "{type}", e.Type, "{source}", string(e.Source), "{workspace}", string(e.Workspace)).Replace(s.settings.Key)
}

// verdict is what became of an item's commands.
func (s *server) verdict(commands []redis.Cmder) destination.Verdict {
	for _, c := range commands {
		if err := c.Err(); err != nil && !isAbort(err) { // that is because of another one
			return s.meaning(err)
		}
	}
	return destination.Verdict{Outcome: destination.Delivered}
}

// meaning is what an error of the server means.
// Source: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors, and
// the table of shared errors in Redis' server.c
func (s *server) meaning(err error) destination.Verdict {
	v := destination.Verdict{Outcome: destination.Retry, Code: CodeNotReady}
	word, text, _ := strings.Cut(err.Error(), " ")
	v.Detail = word
	switch word {
	case "OOM":
		v.Code = CodeFull
	case "NOAUTH", "WRONGPASS", "NOPERM":
		v.Code = CodeDenied
	case "MOVED", "ASK", "CROSSSLOT":
		v.Code = CodeCluster
	case "WRONGTYPE":
		v.Code = CodeWrongType
		if strings.Contains(s.settings.Key, "{") || s.settings.Mode == "hash" { // of this event alone; others would wait behind it
			v.Outcome = destination.Dead
		}
	case "ERR":
		v.Code, v.Detail = CodeRefused, text
		if strings.Contains(text, "AUTH") || strings.Contains(text, "password") {
			v.Code, v.Detail = CodeDenied, ""
		}
	}
	return v
}
