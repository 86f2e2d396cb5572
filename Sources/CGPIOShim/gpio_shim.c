#include "gpio_shim.h"

#include <errno.h>
#include <gpiod.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// errno is 0 after some library failures; callers need a negative number all the same.
static int failure(void) { return errno ? -errno : -EIO; }

#ifdef GPIOD_LINE_BULK_MAX_LINES  // only interface 1 defines it

struct wb_gpio_line {
    struct gpiod_chip *chip;
    struct gpiod_line *line;
};

int wb_gpio_api(void) { return 1; }
const char *wb_gpio_version(void) { return gpiod_version_string(); }

int wb_gpio_chip_lines(const char *name) {
    errno = 0;
    struct gpiod_chip *chip = gpiod_chip_open_lookup(name);
    if (!chip) return failure();
    int lines = (int)gpiod_chip_num_lines(chip);
    gpiod_chip_close(chip);
    return lines;
}

int wb_gpio_holder(const char *name, unsigned offset, char *consumer, size_t size) {
    errno = 0;
    struct gpiod_chip *chip = gpiod_chip_open_lookup(name);
    if (!chip) return failure();
    struct gpiod_line *line = gpiod_chip_get_line(chip, offset);
    int result = line ? (gpiod_line_is_used(line) ? 1 : 0) : failure();
    if (result == 1 && size > 0) {
        const char *by = gpiod_line_consumer(line);
        snprintf(consumer, size, "%s", by ? by : "");
    }
    gpiod_chip_close(chip);
    return result;
}

int wb_gpio_open(const char *name, unsigned offset, enum wb_gpio_mode mode, int active_low, const char *consumer,
                 struct wb_gpio_line **out) {
    errno = 0;
    struct wb_gpio_line *held = calloc(1, sizeof *held);
    if (!held) return -ENOMEM;
    held->chip = gpiod_chip_open_lookup(name);
    if (!held->chip) goto failed;
    held->line = gpiod_chip_get_line(held->chip, offset);
    if (!held->line) goto failed;
    struct gpiod_line_request_config config = {.consumer = consumer, .request_type = 0, .flags = 0};
    config.request_type = (mode == WB_GPIO_INPUT || mode == WB_GPIO_INPUT_PULL_UP)
                              ? GPIOD_LINE_REQUEST_DIRECTION_INPUT
                              : GPIOD_LINE_REQUEST_DIRECTION_OUTPUT;
    if (mode == WB_GPIO_OPEN_DRAIN) config.flags |= GPIOD_LINE_REQUEST_FLAG_OPEN_DRAIN;
    if (mode == WB_GPIO_INPUT_PULL_UP) config.flags |= GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP;
    if (mode == WB_GPIO_INPUT) config.flags |= GPIOD_LINE_REQUEST_FLAG_BIAS_DISABLE;
    if (active_low) config.flags |= GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW;
    if (gpiod_line_request(held->line, &config, 0) != 0) goto failed;
    *out = held;
    return 0;
failed: {
    int code = failure();
    if (held->chip) gpiod_chip_close(held->chip);
    free(held);
    return code;
}
}

int wb_gpio_set(struct wb_gpio_line *held, int active) {
    errno = 0;
    return gpiod_line_set_value(held->line, active) == 0 ? 0 : failure();
}

int wb_gpio_get(struct wb_gpio_line *held) {
    errno = 0;
    int value = gpiod_line_get_value(held->line);
    return value < 0 ? failure() : value;
}

void wb_gpio_close(struct wb_gpio_line *held) {
    if (!held) return;
    gpiod_line_release(held->line);
    gpiod_chip_close(held->chip);
    free(held);
}

#else  // interface 2

struct wb_gpio_line {
    struct gpiod_line_request *request;
    unsigned offset;
};

int wb_gpio_api(void) { return 2; }
const char *wb_gpio_version(void) { return gpiod_api_version(); }

static struct gpiod_chip *open_chip(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s%s", strchr(name, '/') ? "" : "/dev/", name);
    return gpiod_chip_open(path);
}

int wb_gpio_chip_lines(const char *name) {
    errno = 0;
    struct gpiod_chip *chip = open_chip(name);
    if (!chip) return failure();
    struct gpiod_chip_info *info = gpiod_chip_get_info(chip);
    int lines = info ? (int)gpiod_chip_info_get_num_lines(info) : failure();
    if (info) gpiod_chip_info_free(info);
    gpiod_chip_close(chip);
    return lines;
}

int wb_gpio_holder(const char *name, unsigned offset, char *consumer, size_t size) {
    errno = 0;
    struct gpiod_chip *chip = open_chip(name);
    if (!chip) return failure();
    struct gpiod_line_info *info = gpiod_chip_get_line_info(chip, offset);
    int result = info ? (gpiod_line_info_is_used(info) ? 1 : 0) : failure();
    if (result == 1 && size > 0) {
        const char *by = gpiod_line_info_get_consumer(info);
        snprintf(consumer, size, "%s", by ? by : "");
    }
    if (info) gpiod_line_info_free(info);
    gpiod_chip_close(chip);
    return result;
}

int wb_gpio_open(const char *name, unsigned offset, enum wb_gpio_mode mode, int active_low, const char *consumer,
                 struct wb_gpio_line **out) {
    errno = 0;
    int code = -ENOMEM;
    struct gpiod_chip *chip = open_chip(name);
    if (!chip) return failure();
    struct gpiod_line_settings *settings = gpiod_line_settings_new();
    struct gpiod_line_config *lines = gpiod_line_config_new();
    struct gpiod_request_config *request = gpiod_request_config_new();
    struct wb_gpio_line *held = calloc(1, sizeof *held);
    if (!settings || !lines || !request || !held) goto done;
    int input = mode == WB_GPIO_INPUT || mode == WB_GPIO_INPUT_PULL_UP;
    gpiod_line_settings_set_direction(settings, input ? GPIOD_LINE_DIRECTION_INPUT : GPIOD_LINE_DIRECTION_OUTPUT);
    if (!input) gpiod_line_settings_set_output_value(settings, GPIOD_LINE_VALUE_INACTIVE);
    if (mode == WB_GPIO_OPEN_DRAIN) gpiod_line_settings_set_drive(settings, GPIOD_LINE_DRIVE_OPEN_DRAIN);
    if (mode == WB_GPIO_INPUT_PULL_UP) gpiod_line_settings_set_bias(settings, GPIOD_LINE_BIAS_PULL_UP);
    if (mode == WB_GPIO_INPUT) gpiod_line_settings_set_bias(settings, GPIOD_LINE_BIAS_DISABLED);
    gpiod_line_settings_set_active_low(settings, active_low != 0);
    if (gpiod_line_config_add_line_settings(lines, &offset, 1, settings) != 0) {
        code = failure();
        goto done;
    }
    gpiod_request_config_set_consumer(request, consumer);
    held->offset = offset;
    held->request = gpiod_chip_request_lines(chip, request, lines);
    code = held->request ? 0 : failure();
done:
    if (code == 0) {
        *out = held;
    } else {
        free(held);
    }
    if (request) gpiod_request_config_free(request);
    if (lines) gpiod_line_config_free(lines);
    if (settings) gpiod_line_settings_free(settings);
    gpiod_chip_close(chip);
    return code;
}

int wb_gpio_set(struct wb_gpio_line *held, int active) {
    errno = 0;
    enum gpiod_line_value value = active ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE;
    return gpiod_line_request_set_value(held->request, held->offset, value) == 0 ? 0 : failure();
}

int wb_gpio_get(struct wb_gpio_line *held) {
    errno = 0;
    enum gpiod_line_value value = gpiod_line_request_get_value(held->request, held->offset);
    if (value == GPIOD_LINE_VALUE_ERROR) return failure();
    return value == GPIOD_LINE_VALUE_ACTIVE ? 1 : 0;
}

void wb_gpio_close(struct wb_gpio_line *held) {
    if (!held) return;
    gpiod_line_request_release(held->request);
    free(held);
}

#endif
