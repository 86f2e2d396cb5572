// One GPIO line at a time, the same over libgpiod 1 (Debian 12) and 2 (Debian 13). No policy here.
#ifndef WATTBENCH_GPIO_SHIM_H
#define WATTBENCH_GPIO_SHIM_H

#include <stddef.h>

struct wb_gpio_line;

enum wb_gpio_mode {
    WB_GPIO_OPEN_DRAIN = 0,
    WB_GPIO_PUSH_PULL = 1,
    WB_GPIO_INPUT = 2,
    WB_GPIO_INPUT_PULL_UP = 3,
};

// Major version of the library's interface this program was built against: 1 or 2.
int wb_gpio_api(void);
// Version text of the library in use.
const char *wb_gpio_version(void);

// Number of lines of a chip (name, path or, with interface 1, label); negative errno if it cannot be opened.
int wb_gpio_chip_lines(const char *chip);
// 1 if the line is held by somebody (consumer copied into `consumer`), 0 if free, negative errno.
int wb_gpio_holder(const char *chip, unsigned offset, char *consumer, size_t size);

// Takes a line; an output starts inactive. 0 or negative errno. `*line` is set on success only.
int wb_gpio_open(const char *chip, unsigned offset, enum wb_gpio_mode mode, int active_low, const char *consumer,
                 struct wb_gpio_line **line);
// Active (1) or inactive (0). 0 or negative errno.
int wb_gpio_set(struct wb_gpio_line *line, int active);
// 1 active, 0 inactive, negative errno.
int wb_gpio_get(struct wb_gpio_line *line);
void wb_gpio_close(struct wb_gpio_line *line);

#endif
