"""A module with a type of its own, compiled for the tests: NOTE.SET makes a key of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TYPE = "test-note"
SOURCE = r"""
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef void Context, Key, Io, String, Type;
typedef struct {
    uint64_t version;
    void *(*load)(Io *, int);
    void (*save)(Io *, void *);
    void *rewrite, *usage, *digest;
    void (*free)(void *);
    void *more[32];
} Methods;

static int (*get_api)(const char *, void *);
static int (*SetModuleAttribs)(Context *, const char *, int, int);
static Type *(*CreateDataType)(Context *, const char *, int, Methods *);
static int (*CreateCommand)(Context *, const char *, void *, const char *, int, int, int);
static Key *(*OpenKey)(Context *, String *, int);
static int (*ModuleTypeSetValue)(Key *, Type *, void *);
static void (*CloseKey)(Key *);
static int (*ReplyWithLongLong)(Context *, long long);
static const char *(*StringPtrLen)(const String *, size_t *);
static void (*SaveStringBuffer)(Io *, const char *, size_t);
static char *(*LoadStringBuffer)(Io *, size_t *);
static void *(*Alloc)(size_t);
static void (*Free)(void *);
static Type *note;

static void *load(Io *io, int version) {
    size_t size;
    (void)version;
    return LoadStringBuffer(io, &size);
}

static void save(Io *io, void *text) { SaveStringBuffer(io, text, strlen(text) + 1); }

static void forget(void *text) { Free(text); }

static int set(Context *context, String **words, int count) {
    size_t size;
    const char *text = StringPtrLen(words[2], &size);
    char *copy = Alloc(size + 1);
    Key *key = OpenKey(context, words[1], 2);
    (void)count;
    memcpy(copy, text, size);
    copy[size] = 0;
    ModuleTypeSetValue(key, note, copy);
    CloseKey(key);
    return ReplyWithLongLong(context, 1);
}

#define NEED(name) get_api("RedisModule_" #name, (void *)&name)

int RedisModule_OnLoad(Context *context, String **words, int count) {
    Methods methods = {1, load, save, NULL, NULL, NULL, forget, {NULL}};
    (void)words, (void)count;
    get_api = ((void **)context)[0];
    NEED(SetModuleAttribs), NEED(CreateDataType), NEED(CreateCommand), NEED(OpenKey);
    NEED(ModuleTypeSetValue), NEED(CloseKey), NEED(ReplyWithLongLong), NEED(StringPtrLen);
    NEED(SaveStringBuffer), NEED(LoadStringBuffer), NEED(Alloc), NEED(Free);
    SetModuleAttribs(context, "note", 1, 1);
    note = CreateDataType(context, "test-note", 1, &methods);
    return note == NULL || CreateCommand(context, "note.set", set, "write deny-oom", 1, 1, 1);
}
"""


def compiled(folder: Path) -> Path:
    """The module as a server loads it; where there is no compiler, the test cannot be run."""
    compiler = shutil.which("cc")
    if compiler is None:
        if os.environ.get("CI"):
            pytest.fail("there is no C compiler", pytrace=False)
        pytest.skip("there is no C compiler")
    source, module = folder / "note.c", folder / 'my "note".so'
    source.write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", module, source], check=True)
    return module
