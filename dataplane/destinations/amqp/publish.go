package amqp

import (
	"context"
	"errors"
	"strings"
	"time"

	driver "github.com/rabbitmq/amqp091-go"

	"weir/dataplane/destination"
)

// publish publishes a batch and waits for the confirmations. After an error nothing is
// known of any.
func (s *server) publish(ctx context.Context, c *connection, b destination.Batch) ([]destination.Verdict, error) {
	verdicts := make([]destination.Verdict, len(b.Items))
	stopped := map[string]destination.Verdict{} // users whose next messages wait
	for _, round := range rounds(b) {
		confirms := make([]*driver.DeferredConfirmation, len(round))
		for n, i := range round {
			item := &b.Items[i]
			if v, waits := stopped[item.Event.User]; waits {
				verdicts[i] = v
				verdicts[i].Item = i
				continue
			}
			var err error
			if confirms[n], err = c.channel.PublishWithDeferredConfirm(s.settings.Exchange, s.routingKey(item), true, false, s.message(item)); err != nil {
				return nil, c.why(err)
			}
		}
		unroutable := map[string]string{} // by messageId, what the server said
		for n, i := range round {
			if confirms[n] == nil {
				continue
			}
			taken, err := confirms[n].WaitContext(ctx)
			if err != nil {
				return nil, err
			}
			c.comeBack(unroutable)
			if !taken && c.channel.IsClosed() { // the driver ends what waits so
				return nil, c.why(driver.ErrClosed)
			}
			v := destination.Verdict{Item: i, Outcome: destination.Delivered}
			said, back := unroutable[short(string(b.Items[i].Event.MessageID))]
			switch {
			case !taken:
				v.Outcome, v.Code = destination.Retry, CodeNotTaken
			case back:
				v.Outcome, v.Code, v.Detail = destination.Retry, CodeUnroutable, said
				if strings.Contains(s.settings.RoutingKey, "{") { // of this event alone; others would wait behind it
					v.Outcome = destination.Dead
				}
			}
			if verdicts[i] = v; v.Outcome == destination.Retry {
				stopped[b.Items[i].Event.User] = v
			}
		}
	}
	return verdicts, nil
}

// comeBack takes in which messages came back; one does before it is confirmed.
func (c *connection) comeBack(unroutable map[string]string) {
	for {
		select {
		case r, more := <-c.returned:
			if !more {
				return
			}
			unroutable[r.MessageId] = r.ReplyText
		default:
			return
		}
	}
}

// reasonTime is how long after its end a channel's reason may come.
const reasonTime = time.Second

// why is why the channel or the connection was closed, else err.
func (c *connection) why(err error) error {
	select {
	case reason := <-c.closing:
		if reason != nil {
			return reason
		}
	case <-time.After(reasonTime):
	}
	if errors.Is(err, driver.ErrClosed) {
		return errors.New("the connection was closed")
	}
	return err
}

// rounds divides a batch, in its order: no round has two events of one user.
func rounds(b destination.Batch) (all [][]int) {
	users := map[string]bool{} // of the last round
	for i := range b.Items {
		user := b.Items[i].Event.User
		if len(all) == 0 || users[user] {
			all = append(all, nil)
			clear(users)
		}
		users[user] = user != "" // events without a user have no order
		all[len(all)-1] = append(all[len(all)-1], i)
	}
	return all
}

// message is the message of an event.
func (s *server) message(item *destination.Item) driver.Publishing {
	m := driver.Publishing{
		ContentType: "application/json", DeliveryMode: driver.Transient, Body: item.Body(), Timestamp: item.Event.ReceivedAt, MessageId: short(string(item.Event.MessageID)), Type: short(item.Event.Type),
	}
	if s.settings.Persistent {
		m.DeliveryMode = driver.Persistent
	}
	return m
}

// mostShort is the most bytes of a short string of AMQP.
const mostShort = 255

func short(text string) string { return text[:min(len(text), mostShort)] }

// routingKey fills in the setting routingKey.
func (s *server) routingKey(item *destination.Item) string {
	if !strings.Contains(s.settings.RoutingKey, "{") {
		return s.settings.RoutingKey
	}
	e := &item.Event
	return short(strings.NewReplacer("{event}", item.Fields().Name.Text(), "{type}", e.Type, "{source}", string(e.Source), "{workspace}", string(e.Workspace)).Replace(s.settings.RoutingKey))
}
