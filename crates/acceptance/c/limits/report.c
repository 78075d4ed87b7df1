/* Proves that malloc_info writes well-formed XML with the root that libc's has, to a file and to a stream
 * that allocates while it is written to, and refuses options that do not exist. */
#include <ctype.h>
#include <malloc.h>

#include "../scenario.h"

enum { DEEPEST = 32, LONGEST = 64 };

static const char *name_end(const char *text) {
    while (isalnum((unsigned char)*text) || *text == '_' || *text == '-')
        text++;
    return text;
}

static const char *skip_space(const char *text) {
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

/* Reads attributes up to the end of a tag. */
static const char *skip_attributes(const char *text) {
    for (text = skip_space(text); *text != '>' && *text != '/'; text = skip_space(text)) {
        const char *end = name_end(text);
        REQUIRE_SAYING(end > text && end[0] == '=' && end[1] == '"', "no attribute at: %.40s", text);
        text = strchr(end + 2, '"');
        REQUIRE(text != NULL);
        text++;
    }
    return text;
}

/* Requires elements that nest, with quoted attributes, below one root. */
static void require_well_formed(const char *text) {
    char open[DEEPEST][LONGEST];
    size_t depth = 0, n_roots = 0;
    for (text = skip_space(text); *text != 0; text = skip_space(text)) {
        if (*text != '<') {
            REQUIRE_SAYING(depth > 0 && *text != '>' && *text != '&', "outside of elements: %.40s", text);
            text++;
            continue;
        }
        int is_end = text[1] == '/';
        const char *name = text + 1 + is_end, *end = name_end(name);
        size_t length = (size_t)(end - name);
        REQUIRE_SAYING(length > 0 && length < LONGEST, "no name at: %.40s", text);
        if (is_end) {
            REQUIRE_SAYING(depth > 0 && strlen(open[depth - 1]) == length &&
                               memcmp(open[depth - 1], name, length) == 0 && *end == '>',
                           "ends what is not open: %.40s", text);
            depth--;
            text = end + 1;
            continue;
        }
        n_roots += depth == 0;
        text = skip_attributes(end);
        if (*text == '/') {
            REQUIRE(text[1] == '>');
            text += 2;
            continue;
        }
        REQUIRE(depth < DEEPEST);
        memcpy(open[depth], name, length);
        open[depth++][length] = 0;
        text++;
    }
    REQUIRE_SAYING(depth == 0 && n_roots == 1, "%zu elements open, %zu roots", depth, n_roots);
}

int main(void) {
    for (size_t i = 0; i < 1000; i++)
        opaque(malloc(i * 10));
    char *text;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    REQUIRE(stream != NULL && malloc_info(0, stream) == 0 && fclose(stream) == 0);
    REQUIRE_SAYING(strncmp(text, "<malloc version=\"1\">", 20) == 0, "%.40s", text);
    require_well_formed(text);
    free(text);

    static char buffer[MIB];
    FILE *file = tmpfile();
    REQUIRE(file != NULL && malloc_info(0, file) == 0);
    rewind(file);
    buffer[fread(buffer, 1, sizeof buffer - 1, file)] = 0;
    require_well_formed(buffer);
    errno = 0;
    int result = malloc_info(1, file);
    REQUIRE_SAYING(result == EINVAL || (result == -1 && errno == EINVAL), "%d", result);
    fclose(file);
    return 0;
}
