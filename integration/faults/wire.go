package faults

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Answer is what a broker says to a request.
type Answer struct {
	Key     kmsg.Key
	Version int16
	// Frame is the answer as it goes over the wire: size, correlation, body.
	Frame []byte
}

// Spoiler says what a client gets of an answer, and whether the connection is cut
// behind it. It is called concurrently, and may keep nothing of the frame.
type Spoiler func(a Answer) (frame []byte, cut bool)

// Wire is the network in front of brokers that live in this process, and spoils what
// they say by script. Its zero value passes everything on.
type Wire struct {
	spoiler atomic.Pointer[Spoiler]

	mu    sync.Mutex
	conns map[*wired]struct{}
}

// Set changes the script; nil passes everything on.
func (w *Wire) Set(s Spoiler) {
	if s == nil {
		w.spoiler.Store(nil)
		return
	}
	w.spoiler.Store(&s)
}

// Cut ends all connections.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Conn.Close() // It may have ended by itself.
	}
	clear(w.conns)
}

// Listen is net.Listen with the wire in between.
func (w *Wire) Listen(network, address string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(context.Background(), network, address)
	if err != nil {
		return nil, fmt.Errorf("listening for a wire: %w", err)
	}
	return &wiredListener{l, w}, nil
}

type wiredListener struct {
	net.Listener
	wire *Wire
}

func (l *wiredListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &wired{Conn: conn, wire: l.wire, asked: make(chan Answer, pipelined)}
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	if l.wire.conns == nil {
		l.wire.conns = make(map[*wired]struct{})
	}
	l.wire.conns[c] = struct{}{}
	return c, nil
}

// pipelined is more than the requests of a connection that a broker reads before it
// has answered the first of them.
const pipelined = 64

// wired is a connection. A broker answers the requests of one in their order, and
// writes an answer in one piece.
type wired struct {
	net.Conn
	wire   *Wire
	unread []byte      // Of the request that is being read.
	asked  chan Answer // Without frames.
}

func (c *wired) Read(p []byte) (int, error) {
	if len(c.unread) == 0 {
		if err := c.readRequest(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}

// readRequest takes a request in, and notes what it asks for.
func (c *wired) readRequest() error {
	var size [4]byte
	if _, err := io.ReadFull(c.Conn, size[:]); err != nil {
		return err
	}
	frame := make([]byte, len(size)+int(binary.BigEndian.Uint32(size[:])))
	copy(frame, size[:])
	if _, err := io.ReadFull(c.Conn, frame[len(size):]); err != nil {
		return err
	}
	if len(frame) < 8 {
		return io.ErrUnexpectedEOF
	}
	c.asked <- Answer{
		Key:     kmsg.Key(binary.BigEndian.Uint16(frame[4:])),
		Version: int16(binary.BigEndian.Uint16(frame[6:])),
	}
	c.unread = frame
	return nil
}

func (c *wired) Write(frame []byte) (int, error) {
	answer := <-c.asked
	spoil := c.wire.spoiler.Load()
	if spoil == nil {
		return c.Conn.Write(frame)
	}
	answer.Frame = frame
	spoilt, cut := (*spoil)(answer)
	if _, err := c.Conn.Write(spoilt); err != nil {
		return 0, err
	}
	if cut {
		_ = c.Close() // It is to end in any case.
		return 0, net.ErrClosed
	}
	return len(frame), nil
}

func (c *wired) Close() error {
	c.wire.mu.Lock()
	delete(c.wire.conns, c)
	c.wire.mu.Unlock()
	return c.Conn.Close()
}

// editFetch changes an answer to a fetch.
func editFetch(a Answer, edit func(*kmsg.FetchResponse)) ([]byte, error) {
	resp := kmsg.NewPtrFetchResponse()
	resp.SetVersion(a.Version)
	head := 8 // The size and the correlation; flexible versions have tags behind them, which are empty.
	if resp.IsFlexible() {
		head++
	}
	if err := resp.ReadFrom(a.Frame[head:]); err != nil {
		return nil, fmt.Errorf("decoding an answer to a fetch: %w", err)
	}
	edit(resp)
	frame := resp.AppendTo(slices.Clone(a.Frame[:head]))
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame, nil
}
