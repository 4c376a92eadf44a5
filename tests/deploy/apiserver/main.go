// Says what a Kubernetes API server would say to these manifests, without a server: the server's own decoding (unknown
// and repeated fields are errors), defaults and validation, Pod Security "restricted" for each pod template, and for the
// Gateway API the schema and the rules of its CRDs.
//
//	apiserver -crds FOLDER FILE.yaml...
//
// Prints a line for each object that would be refused; exits with 1 if there is one, with 2 if it could not find out.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	strictyaml "sigs.k8s.io/yaml"
)

func main() {
	crds := flag.String("crds", "", "folder with CustomResourceDefinitions")
	flag.Parse()
	custom, err := readCustomResources(*crds)
	if err != nil {
		fail(err)
	}
	refused := 0
	for _, path := range flag.Args() {
		documents, err := readDocuments(path)
		if err != nil {
			fail(err)
		}
		for _, document := range documents {
			if err := check(document, custom); err != nil {
				refused++
				fmt.Printf("%s: %s\n", path, strings.Join(strings.Fields(err.Error()), " "))
			}
		}
		fmt.Printf("%s: %d objects\n", path, len(documents))
	}
	if refused > 0 {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}

// readDocuments gives the YAML documents of a file without those that are only comments.
func readDocuments(path string) ([][]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	reader := yaml.NewYAMLReader(bufio.NewReader(file))
	var documents [][]byte
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if json, err := strictyaml.YAMLToJSON(document); err == nil && string(json) == "null" {
			continue
		}
		documents = append(documents, bytes.Clone(document))
	}
}

func check(document []byte, custom customResources) error {
	json, err := strictyaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(json); err != nil {
		return err
	}
	if resource, found := custom[object.GroupVersionKind()]; found {
		err = resource.check(&object)
	} else {
		err = checkBuiltIn(json)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}
