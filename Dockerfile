# A static binary, run by a user without rights.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /kafka2prom ./cmd/kafka2prom

FROM gcr.io/distroless/static:nonroot
COPY --from=build /kafka2prom /usr/local/bin/kafka2prom
COPY config.yaml /etc/kafka2prom/config.yaml
USER 65532:65532
EXPOSE 9808
ENTRYPOINT ["/usr/local/bin/kafka2prom"]
CMD ["run", "--config", "/etc/kafka2prom/config.yaml"]
