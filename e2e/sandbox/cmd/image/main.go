// Command image builds a main package of Weir's tree into an image file, without a container engine:
//
//	go run ./e2e/sandbox/cmd/image -file bin/weir.tar -tag weir:dev ./cmd/weir
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"weir.dev/weir/e2e/sandbox"
)

func main() {
	file := flag.String("file", "", "the image file to write")
	tag := flag.String("tag", "", "what the image is called")
	flag.Parse()
	if flag.NArg() != 1 || *file == "" || *tag == "" {
		fmt.Fprintln(os.Stderr, "usage: image -file FILE -tag NAME:TAG PACKAGE")
		os.Exit(2)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := sandbox.BuildImage(ctx, flag.Arg(0), *file, *tag); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		cancel()
		os.Exit(1)
	}
	fmt.Printf("%s: %s\n", *file, *tag)
}
