package page

import (
	"bytes"
	"context"
	"net/http"
	"time"
)

const (
	eventStream = "text/event-stream"
	// breath is the least time between two pictures of the same page.
	breath = 500 * time.Millisecond
	// heartbeat keeps the connection, and shows both ends that it is there.
	heartbeat = 15 * time.Second
)

// fragments are the parts of a page by their names.
type fragments map[string][]byte

// stream keeps a page up to date: it sends the parts that are other than they were, whenever something has changed.
// Look is asked for them, and first whether they may still be seen. When they may not, or the operator ends, so does the
// stream, and the browser begins anew.
func (p *Page) stream(w http.ResponseWriter, r *http.Request, look func(context.Context) (fragments, error)) error {
	select {
	case p.streams <- struct{}{}:
		defer func() { <-p.streams }()
	default:
		return refusal{http.StatusServiceUnavailable, "Too many pages are open."}
	}
	sent := fragments{}
	out := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for first := true; ; first = false {
		changed := p.store.changed()
		parts, err := look(r.Context())
		if err != nil {
			if !first {
				return nil
			}
			return err
		}
		if first {
			w.Header().Set("Content-Type", eventStream)
			w.Header().Set("X-Accel-Buffering", "no") // a proxy that gathers would hold it back
		}
		if _, err := w.Write(events(parts, sent)); err != nil {
			return nil // the browser is gone
		}
		if err := out.Flush(); err != nil {
			return nil
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-beat.C:
		case <-changed:
			select {
			case <-r.Context().Done():
				return nil
			case <-time.After(breath):
			}
		}
	}
}

// events are the parts that are new, and a comment where none is.
func events(parts, sent fragments) []byte {
	var out bytes.Buffer
	for name, part := range parts {
		if bytes.Equal(part, sent[name]) {
			continue
		}
		sent[name] = part
		out.WriteString("event: " + name + "\n")
		for line := range bytes.Lines(part) {
			out.WriteString("data: ")
			out.Write(bytes.TrimRight(line, "\r\n"))
			out.WriteString("\n")
		}
		out.WriteString("\n")
	}
	if out.Len() == 0 {
		out.WriteString(": here\n\n")
	}
	return out.Bytes()
}
