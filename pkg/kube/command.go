package kube

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/client/clientset/versioned"
)

// Order writes a person's command on a Canary, as `kubectl weir` does, for the replica that leads to carry out. It is
// for who has asked whether the person may: it is written with Weir's own rights. The Canary is to be the one of that UID.
func Order(ctx context.Context, client versioned.Interface, canary *v1beta1.Canary, command v1beta1.Command) error {
	raw, err := json.Marshal(command)
	if err != nil {
		return fmt.Errorf("writing the command as JSON: %w", err)
	}
	if _, err := v1beta1.ParseCommand(string(raw)); err != nil {
		return err // Weir would refuse it with these words
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": canary.UID, "annotations": map[string]any{v1beta1.CommandAnnotation: string(raw)},
	}})
	if err != nil {
		return fmt.Errorf("writing the patch as JSON: %w", err)
	}
	_, err = client.WeirV1beta1().Canaries(canary.Namespace).
		Patch(ctx, canary.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("writing the command %s on Canary %s/%s: %w", command.Verb, canary.Namespace, canary.Name, err)
	}
	return nil
}
