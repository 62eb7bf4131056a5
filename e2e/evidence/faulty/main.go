// Command faulty is an application that is exactly as bad as it is told: a share of its requests fails, and each takes
// about as long as it is told. It takes the flags of podinfo that the stage gives every application, and answers like it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	port := flag.Int("port", 9898, "port of HTTP")
	fail := flag.Float64("fail", 0, "share of the requests that fail")
	delay := flag.Duration("delay", 0, "what a request takes on average")
	_ = flag.Int("grpc-port", 0, "nothing")
	_ = flag.String("level", "", "nothing")
	flag.Parse()
	host, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(time.Duration(float64(*delay) * (0.5 + rand.Float64()))) //nolint:gosec // no secret
		if rand.Float64() < *fail {                                         //nolint:gosec // no secret
			w.WriteHeader(http.StatusInternalServerError)
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"hostname": host, "message": os.Getenv("PODINFO_UI_MESSAGE")})
	})
	server := &http.Server{Addr: fmt.Sprintf(":%d", *port), Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() {
		time.Sleep(3 * time.Second) // whoever sends requests may not know yet that it goes
		_ = server.Shutdown(context.WithoutCancel(ctx))
	})
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	time.Sleep(time.Second) // requests under way
}
