package outbound

import (
	"context"
	"sync"
)

// Rooms bound how much is asked of each server at the same time, so that one that hangs keeps nobody waiting but those who
// ask it. They are safe for concurrent use.
type Rooms struct {
	limit int

	mu    sync.Mutex
	rooms map[string]*room
}

// room is where those stand whose questions a server has.
type room struct {
	places chan struct{}
	// users stand there or wait.
	users int
}

// NewRooms let a server be asked for so much at a time, and at least for one thing.
func NewRooms(limit int) *Rooms { return &Rooms{limit: max(1, limit), rooms: map[string]*room{}} }

// Enter waits until a server may be asked for one more thing. Who has entered asks, and leaves.
func (s *Rooms) Enter(ctx context.Context, server string) (leave func(), err error) {
	s.mu.Lock()
	r := s.rooms[server]
	if r == nil {
		r = &room{places: make(chan struct{}, s.limit)}
		s.rooms[server] = r
	}
	r.users++
	s.mu.Unlock()
	gone := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.users--; r.users == 0 {
			delete(s.rooms, server)
		}
	}
	select {
	case r.places <- struct{}{}:
		return func() { <-r.places; gone() }, nil
	case <-ctx.Done():
		gone()
		return nil, context.Cause(ctx)
	}
}
